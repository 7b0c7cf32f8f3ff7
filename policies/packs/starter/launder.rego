# METADATA
# title: Nothing is washed clean by passing it on
# description: |
#   What an agent writes may hold what it read. A target that was written to by a
#   session that carries a label hands the label on to every session, of every
#   agent of the same person, that reads it within a day. And a request that goes
#   to where anybody can listen (the catalog's target label `outside`) takes out
#   what it is made of, though it only reads.
# custom:
#   controls: [ASI01, ASI02, ASI07]
package packs.launder

import data.remit.history
import data.remit.labels
import data.remit.settings

deny contains {
	"code": "outside_after_secret",
	"message": "this session carries a secret, and others can listen there",
	"controls": ["ASI02"],
} if {
	settings.outside in input.target.labels
	labels.carries("secret")
}

remember contains {
	"fact": "marked",
	"key": [input.target.id],
	"value": [handed_on],
	"on": "allowed",
} if {
	input.action.operation in settings.writes
	count(carried) > 0
}

label contains name if {
	input.action.operation == "read"
	some name in held
}

# The labels of the session that forbid something.
carried := {name | some name, _ in input.session.labels; settings.taint[name]}

handed_on := carried | held

# The target may have been marked, by anybody who acts for this person.
marked if history.possibly_within("marked", "here", "24h")

# The labels that it was marked with; all that there are where nobody can say.
default held := set()

held := {name | some name in named} if {
	marked
	named
}

held := object.keys(settings.taint) if {
	marked
	not named
}

named := names if {
	names := history.last_values("marked", "here", "24h")[0]
	is_array(names)
}
