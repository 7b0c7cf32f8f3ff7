package remit.definitions_test

import data.remit.definitions
import data.remit.example

described(definition) := object.union(example.request, {"target": {"definition": definition}})

test_changed if {
	definitions.changed with input as described({"state": "changed", "pinned": "a", "seen": "b", "seen_age_seconds": 1})
	not definitions.same with input as described({"state": "changed", "pinned": "a", "seen": "b", "seen_age_seconds": 1})
}

test_same if {
	definitions.same with input as described({"state": "same", "pinned": "a", "seen": "a", "seen_age_seconds": 1})
	definitions.pinned with input as described({"state": "same", "pinned": "a", "seen": "a", "seen_age_seconds": 1})
}

test_what_is_not_seen_is_not_the_same if {
	not definitions.same with input as described({"state": "unseen", "pinned": "a"})
	not definitions.changed with input as described({"state": "unseen", "pinned": "a"})
	not definitions.pinned with input as described({"state": "unpinned"})
}
