# METADATA
# title: What the agent is for
# description: |
#   The agent's profile in data.remit.agents names the systems it works on, the
#   operations it does and, if it wants to, the tools. A session may be narrower
#   than its agent: the verified claim `task` of the token, where there is one,
#   becomes the session's task and can only take away.
# custom:
#   controls: [ASI02, ASI03]
package packs.task

allow contains {"code": "within_task"} if {
	input.target.known
	input.target.system in profile.systems
	input.action.operation in profile.operations
}

deny contains {
	"code": "unknown_target",
	"message": "the target is not known",
	"controls": ["ASI02"],
} if {
	not input.target.known
}

deny contains {"code": "system_out_of_task", "message": "this is not part of the agent's work"} if {
	input.target.known
	not permits("systems", input.target.system)
}

deny contains {"code": "operation_out_of_task", "message": "this operation is not part of the agent's work"} if {
	input.target.known
	not permits("operations", input.action.operation)
}

deny contains {"code": "tool_out_of_task", "message": "this tool is not part of the agent's work"} if {
	input.target.known
	input.action.tool != ""
	input.action.operation != "discover"
	not permits("tools", input.action.tool)
}

deny contains {"code": "sensitivity_out_of_task", "message": "this is more sensitive than the agent's work"} if {
	input.target.known
	not input.target.level <= ceiling
}

# A list that neither profile nor task has allows everything of its kind,
# except systems and operations, which `allow` wants named.
permits(list, name) if {
	permitted_by(profile, list, name)
	permitted_by(session_task, list, name)
}

permitted_by(scope, list, _) if not scope[list]

permitted_by(scope, list, name) if name in scope[list]

profile := input.agent.profile

session_task := input.session.task

levels := {"public": 0, "internal": 1, "confidential": 2, "restricted": 3}

default ceiling := 1

ceiling := levels[profile.max_sensitivity]

# What the token's issuer says that this session is for.
task["source"] := "claim" if input.agent.claims.task

task[member] := value if some member, value in object.filter(input.agent.claims.task, narrowing)

narrowing := ["purpose", "systems", "operations", "tools"]
