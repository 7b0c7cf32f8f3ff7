# METADATA
# title: Destroying, executing, minting credentials
# description: |
#   An operation that cannot be taken back needs the system named under
#   `destructive` in the agent's profile, a fresh session, and a person behind the
#   agent: an agent that acts for nobody has nobody to answer for it.
# custom:
#   controls: [ASI02, NHI5]
package packs.destructive

import data.remit.settings

deny contains {
	"code": "destructive_operation",
	"message": sprintf("%s is not granted to this agent here", [input.action.operation]),
	"controls": ["ASI02"],
} if {
	grave
	not granted
}

deny contains {
	"code": "destructive_too_late",
	"message": sprintf("the session is too old to %s", [input.action.operation]),
	"controls": ["ASI02"],
} if {
	grave
	not fresh
}

deny contains {
	"code": "destructive_for_nobody",
	"message": "the agent acts for nobody who could answer for it",
	"controls": ["NHI5"],
} if {
	grave
	count(input.agent.chain) == 0
}

grave if {
	input.target.known
	input.action.operation in settings.destructive
}

fresh if input.session.age_seconds <= settings.destructive_age_seconds

granted if input.target.system in input.agent.profile.destructive
