# METADATA
# title: Limits under load
# description: One rule for each thing that must hold under concurrency and crashes.
package packs.limits

import data.remit.history
import data.remit.labels

admit contains "anybody" if input.agent.kind == "jwt"

allow contains "known" if input.target.known

# A budget of 1, 10 or 100.
charge[budget] := 1 if {
	startswith(input.target.resource, "spend ")
	budget := concat("-", ["spend", trim_prefix(input.target.resource, "spend ")])
}

# A right that can be used once.
deny contains {"code": "right_used", "message": "this right was used"} if {
	startswith(input.target.resource, "right ")
	history.possibly_within("used", "here", "1h")
}

remember contains {"fact": "used", "key": [input.target.resource], "on": "allowed"} if {
	startswith(input.target.resource, "right ")
}

# A label that forbids what follows.
deny contains {"code": "send_after_untrusted_content", "message": "untrusted content was read"} if {
	input.action.operation == "send"
	labels.carries("untrusted-content")
}

# A fact that something depends on.
remember contains {"fact": "approved", "key": [input.target.resource], "on": "allowed"} if {
	input.request.segments[1] == "approve"
}

deny contains {"code": "not_approved", "message": "the change is not approved"} if {
	input.request.segments[1] == "use"
	not history.surely_within("approved", "here", "1h")
}
