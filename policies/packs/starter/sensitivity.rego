# METADATA
# title: The older a session, the less it may touch
# description: |
#   A session that runs for long drifts from what somebody meant it to do, and a
#   stolen one is used late. Sensitive targets and changes need a fresh one.
# custom:
#   controls: [ASI03, NHI7]
package packs.sensitivity

import data.remit.settings

deny contains {
	"code": "session_too_old",
	"message": "the session is too old for a target this sensitive",
	"controls": ["ASI03"],
} if {
	input.session.state != "none"
	not fresh_enough
}

deny contains {
	"code": "write_too_late",
	"message": "the session is too old to change anything",
	"controls": ["ASI03"],
} if {
	input.session.state != "none"
	input.action.operation in settings.writes
	not fresh_enough_to_write
}

# Rules of their own: what is undefined in `not a <= b` leaves the whole line
# undefined, and nothing would be denied.
fresh_enough if input.session.age_seconds <= settings.max_age_seconds[input.target.sensitivity]

fresh_enough_to_write if input.session.age_seconds <= settings.write_age_seconds
