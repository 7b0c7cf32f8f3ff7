# METADATA
# title: Runaway loops and reach
# description: |
#   An agent that calls the same thing over and over, that runs into one denial
#   after the other, or that spreads over everything it can reach, is stopped; one
#   that keeps probing is quarantined until an operator looks at it. Beginning
#   another session, or many at once, does not help it: what all sessions of the
#   agent do for one person counts as well, and reads of what is sensitive are
#   counted over all its agents (the budget `sensitive_reads`).
# custom:
#   controls: [ASI08, ASI10]
package packs.loops

import data.remit.history
import data.remit.settings

deny contains {
	"code": "too_many_actions",
	"message": "too many actions in a minute",
	"controls": ["ASI08"],
	"retry_seconds": 60,
} if {
	input.session.state != "none"
	not within_pace
}

deny contains {
	"code": "too_many_actions",
	"message": "too many actions of this agent in a minute, over all its sessions",
	"controls": ["ASI08"],
	"retry_seconds": 60,
} if {
	input.agent.kind != "none"
	not agent_within_pace
}

deny contains {
	"code": "repeated_call",
	"message": "the same call again and again",
	"controls": ["ASI08"],
	"retry_seconds": 60,
} if {
	input.session.state != "none"
	input.action.operation != "discover"
	history.exceeds("same_call", "this", "1m", settings.same_call_per_minute)
}

remember contains {
	"fact": "same_call",
	"key": [input.action.digest],
	"on": "attempted",
} if {
	input.session.state != "none"
	input.action.operation != "discover"
}

deny contains {
	"code": "too_many_denials",
	"message": "too many denials in a row; ask a person",
	"controls": ["ASI10"],
} if {
	input.session.consecutive_denied >= settings.denials_in_a_row
	input.action.operation in settings.writes
}

deny contains {
	"code": "too_many_denials",
	"message": "too many denials of this agent in an hour, over all its sessions; ask a person",
	"controls": ["ASI10"],
} if {
	input.action.operation in settings.writes
	not agent_within_denials
}

# Many small reads are a big one.
charge["sensitive_reads"] := 1 if {
	input.action.operation == "read"
	input.target.level >= 2
}

deny contains {
	"code": "too_many_questions",
	"message": "too many questions about what would be allowed; ask a person",
	"controls": ["ASI10"],
} if {
	input.session.asked > settings.questions_in_a_session
	input.action.operation in settings.writes
}

session["quarantine"] if input.session.consecutive_denied + 1 >= settings.denials_to_quarantine

deny contains {
	"code": "reach",
	"message": "the session has reached as far as it may",
	"controls": ["ASI08"],
} if {
	input.target.new_to_session
	not within_reach
}

within_reach if input.session.state == "none"

within_reach if {
	not input.session.targets_saturated
	input.session.targets + 1 <= settings.max_targets
	count({input.target.system} | {s | some s in input.session.systems}) <= settings.max_systems
}

within_pace if input.session.windows["1m"].actions.hi + 1 <= settings.actions_per_minute

agent_within_pace if input.agent.activity.windows["1m"].actions.hi + 1 <= settings.agent_actions_per_minute

agent_within_denials if input.agent.activity.windows["1h"].denied.hi < settings.agent_denials_per_hour
