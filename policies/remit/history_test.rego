package remit.history_test

import data.remit.example
import data.remit.history

# What a fact looks like, and what the two voices say of "within 10 minutes".
within_cases := {
	"never": {"cell": example.never, "surely": false, "possibly": false, "pending": false},
	"settled in it": {"cell": example.settled(5), "surely": true, "possibly": true, "pending": false},
	"settled at its edge": {"cell": example.settled(10), "surely": true, "possibly": true, "pending": false},
	"settled before it": {"cell": example.settled(11), "surely": false, "possibly": false, "pending": false},
	"in flight": {"cell": example.open(1, "pending"), "surely": false, "possibly": true, "pending": true},
	"in flight too long ago": {"cell": example.open(11, "pending"), "surely": false, "possibly": false, "pending": false},
	"unknown": {"cell": example.open(1, "unknown"), "surely": false, "possibly": true, "pending": false},
	"settled before, in flight now": {
		"cell": object.union(example.settled(20), {"pending": 1, "latest_at_ns": example.now, "latest_seq": 100}),
		"surely": false, "possibly": true, "pending": true,
	},
	"evicted in it": {
		"cell": object.union(example.never, {"lost_until_ns": example.now - example.minute}),
		"surely": false, "possibly": true, "pending": false,
	},
	"evicted before it": {
		"cell": object.union(example.never, {"lost_until_ns": example.now - (11 * example.minute)}),
		"surely": false, "possibly": false, "pending": false,
	},
	"not recorded from its beginning": {
		"cell": object.union(example.never, {"complete_from_ns": example.now - example.minute}),
		"surely": false, "possibly": true, "pending": false,
	},
	"recorded since before it": {
		"cell": object.union(example.never, {"complete_from_ns": example.now - (10 * example.minute)}),
		"surely": false, "possibly": false, "pending": false,
	},
	"kept for less than the window": {
		"cell": object.union(example.never, {"ttl_ns": example.minute}),
		"surely": false, "possibly": true, "pending": false,
	},
	"a request without the key": {
		"cell": object.union(example.settled(5), {"keyed": false}),
		"surely": false, "possibly": true, "pending": false,
	},
	"a ring with one settled": {
		"cell": example.ring([example.entry(1, "pending"), example.entry(5, "settled")]),
		"surely": true, "possibly": true, "pending": false,
	},
	"a ring that is empty": {"cell": example.ring([]), "surely": false, "possibly": false, "pending": false},
	"a ring that has lost some": {
		"cell": object.union(example.ring([]), {"residue": {"count": 1, "sum": 2, "latest_at_ns": example.now}}),
		"surely": false, "possibly": true, "pending": false,
	},
}

voices := {
	"surely": history.surely_within("fact", "here", "10m"),
	"possibly": history.possibly_within("fact", "here", "10m"),
	"pending": history.pending_within("fact", "here", "10m"),
}

said(cell) := v if v := voices with input as example.changed({"memory": {"fact": {"here": cell}}})

test_within if {
	every case in within_cases {
		said(case.cell) == object.remove(case, ["cell"])
	}
}

test_an_undeclared_fact_is_read_on_the_safe_side if {
	not history.surely_within("nothing", "here", "10m") with input as example.request
	history.possibly_within("nothing", "here", "10m") with input as example.request
	not history.pending_within("nothing", "here", "10m") with input as example.request
	history.surely_count("nothing", "here", "10m") == 0 with input as example.request
	history.possibly_count("nothing", "here", "10m") > 1000000 with input as example.request
	history.exceeds("nothing", "here", "10m", 1000000) with input as example.request
	history.sum_exceeds("nothing", "here", "10m", 1, 1000000) with input as example.request
	not history.surely_since("nothing", "here", "none", "here") with input as example.request
	history.possibly_since("nothing", "here", "none", "here") with input as example.request
}

calls := example.ring([
	example.entry(1, "pending"),
	example.entry(2, "settled"),
	example.entry(3, "unknown"),
	example.entry(10, "settled"),
	example.entry(11, "settled"),
])

intervals := {
	"count": [history.surely_count("calls", "all", "10m"), history.possibly_count("calls", "all", "10m")],
	"sum": [history.surely_sum("calls", "all", "10m"), history.possibly_sum("calls", "all", "10m")],
}

counted(cell) := v if v := intervals with input as example.changed({"memory": {"calls": {"all": cell}}})

test_counts_and_sums_are_intervals if {
	counted(calls) == {"count": [2, 4], "sum": [4, 8]}
}

test_what_fell_out_counts_as_long_as_it_may_be_in_the_window if {
	in_it := {"residue": {"count": 3, "sum": 30, "latest_at_ns": example.now - (10 * example.minute)}}
	counted(object.union(calls, in_it)) == {"count": [2, 7], "sum": [4, 38]}
	before := {"residue": {"count": 3, "sum": 30, "latest_at_ns": example.now - (11 * example.minute)}}
	counted(object.union(calls, before)) == {"count": [2, 4], "sum": [4, 8]}
}

test_a_cap_counts_this_action if {
	with_calls := example.changed({"memory": {"calls": {"all": calls}}})
	history.exceeds("calls", "all", "10m", 4) == true with input as with_calls
	history.exceeds("calls", "all", "10m", 5) == false with input as with_calls
	history.sum_exceeds("calls", "all", "10m", 2, 9) == true with input as with_calls
	history.sum_exceeds("calls", "all", "10m", 2, 10) == false with input as with_calls
	history.exceeds("calls", "all", "10m", "many") == true with input as with_calls
	history.sum_exceeds("calls", "all", "10m", 2, "many") == true with input as with_calls
}

order := {
	"surely": history.surely_since("a", "here", "b", "here"),
	"possibly": history.possibly_since("a", "here", "b", "here"),
}

since(a, b) := v if v := order with input as example.changed({"memory": {"a": {"here": a}, "b": {"here": b}}})

test_since_is_the_order_of_actions if {
	since(example.settled(1), example.settled(5)) == {"surely": true, "possibly": true}
	since(example.settled(5), example.settled(1)) == {"surely": false, "possibly": false}
	since(example.settled(5), example.open(1, "unknown")) == {"surely": false, "possibly": true}
	since(example.settled(5), example.never) == {"surely": true, "possibly": true}
	since(example.never, example.settled(5)) == {"surely": false, "possibly": false}
}

test_since_does_not_trust_what_was_lost if {
	lost := object.union(example.never, {"lost_until_ns": example.now})
	since(example.settled(1), lost).surely == false
	since(lost, example.settled(1)).possibly == true
}

test_last_values if {
	history.last_values("a", "here", "10m") == ["v"] with input as example.changed({"memory": {"a": {"here": example.settled(5)}}})
	not history.last_values("a", "here", "10m") with input as example.changed({"memory": {"a": {"here": example.settled(15)}}})
}
