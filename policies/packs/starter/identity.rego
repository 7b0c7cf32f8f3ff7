# METADATA
# title: Who acts
# description: |
#   An action needs a verified agent, and the agent an entry in
#   data.remit.agents, which says what it is for.
# custom:
#   controls: [NHI5, ASI03]
package packs.identity

deny contains {
	"code": "identity_required",
	"message": "a verified identity is required",
	"class": "unauthenticated",
	"controls": ["NHI5"],
} if {
	input.agent.kind == "none"
}

deny contains {
	"code": "agent_not_registered",
	"message": "this agent is not registered",
	"controls": ["NHI5"],
} if {
	input.agent.kind != "none"
	not input.agent.registered
}

admit contains {"code": "registered_agent"} if input.agent.registered == true

refuse contains {"code": "agent_not_registered", "message": "this agent is not registered"} if {
	not input.agent.registered
}
