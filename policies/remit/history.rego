# METADATA
# title: What happened before
# description: |
#   Reads the facts declared in data.remit.memory, in two voices. Where a rule
#   allows, ask what surely happened: only settled actions count. Where a rule
#   denies, ask what possibly happened: in flight, unknown, evicted and not
#   recorded count as well. `not` on an answer is as safe as the answer, never
#   safer: `not history.surely_within(...)` is for denials,
#   `not history.possibly_within(...)` for allowances.
#
#   fact is the name of a declared fact, lookup the name of one of its lookups,
#   window a duration ("30m"), closed: an age of exactly the window is in it.
package remit.history

# METADATA
# description: It happened within the window, and its action is settled.
default surely_within(_, _, _) := false

surely_within(fact, lookup, window) if {
	cell := input.memory[fact][lookup]
	cell.keyed
	some point in points(cell)
	point.state == "settled"
	point.at_ns >= start(window)
}

# METADATA
# description: It may have happened within the window.
default possibly_within(_, _, _) := true

possibly_within(fact, lookup, window) := false if {
	cell := complete(fact, lookup, window)
	every point in points(cell) { point.at_ns < start(window) }
	fallen_out(cell, window) == 0
}

# METADATA
# description: |
#   It did not surely happen within the window, but an action that would make
#   it so is in flight: answer `pending`, and let the agent try again.
default pending_within(_, _, _) := false

pending_within(fact, lookup, window) if {
	not surely_within(fact, lookup, window)
	some point in points(input.memory[fact][lookup])
	point.state == "pending"
	point.at_ns >= start(window)
}

# METADATA
# description: How often it surely happened within the window (a ring).
default surely_count(_, _, _) := 0

surely_count(fact, lookup, window) := count([1 | some p in surely(fact, lookup, window)])

# METADATA
# description: |
#   How often it happened within the window at most (a ring). Where nobody can
#   say it is more than any limit: 2^53 - 1.
default possibly_count(_, _, _) := 9007199254740991

possibly_count(fact, lookup, window) := n if {
	cell := complete(fact, lookup, window)
	recent := [1 | some p in points(cell); p.at_ns >= start(window)]
	n := count(recent) + fallen_out(cell, window)
}

# METADATA
# description: The sum of what surely happened within the window (a ring).
default surely_sum(_, _, _) := 0

surely_sum(fact, lookup, window) := sum([p.value | some p in surely(fact, lookup, window)])

# METADATA
# description: The sum of what happened within the window at most (a ring).
default possibly_sum(_, _, _) := 9007199254740991

possibly_sum(fact, lookup, window) := n if {
	cell := complete(fact, lookup, window)
	recent := sum([p.value | some p in points(cell); p.at_ns >= start(window)])
	n := recent + fallen_sum(cell, window)
}

# METADATA
# description: With this action it would have happened more than cap times within the window.
default exceeds(_, _, _, _) := true

exceeds(fact, lookup, window, cap) := (possibly_count(fact, lookup, window) + 1) > cap if is_number(cap)

# METADATA
# description: With n more the sum within the window would be more than cap.
default sum_exceeds(_, _, _, _, _) := true

sum_exceeds(fact, lookup, window, n, cap) := (possibly_sum(fact, lookup, window) + n) > cap if {
	is_number(n)
	is_number(cap)
}

# METADATA
# description: |
#   Of two facts of kind last: fact surely happened, and other surely did not
#   happen after it. The order is that of the actions, not of clocks.
default surely_since(_, _, _, _) := false

surely_since(fact, lookup, other, other_lookup) if {
	cell := input.memory[fact][lookup]
	undone := input.memory[other][other_lookup]
	cell.keyed
	cell.settled
	undone.keyed
	undone.latest_seq < cell.settled_seq
	undone.lost_until_ns < cell.settled_at_ns
	undone.complete_from_ns <= cell.settled_at_ns
}

# METADATA
# description: Of two facts of kind last, fact may have happened after other did.
default possibly_since(_, _, _, _) := true

possibly_since(fact, lookup, other, other_lookup) := false if {
	cell := input.memory[fact][lookup]
	undone := input.memory[other][other_lookup]
	cell.keyed
	undone.keyed
	undone.settled
	cell.latest_seq < undone.settled_seq
	cell.lost_until_ns < undone.settled_at_ns
	cell.complete_from_ns <= undone.settled_at_ns
}

# METADATA
# description: The values kept when a fact of kind last surely happened, in the window; undefined otherwise.
last_values(fact, lookup, window) := input.memory[fact][lookup].values if surely_within(fact, lookup, window)

start(window) := input.time.now_ns - time.parse_duration_ns(window)

# A cell of which nothing that matters to the window was lost. A request that
# does not have the key, a fact that nobody declared: undefined.
complete(fact, lookup, window) := cell if {
	cell := input.memory[fact][lookup]
	cell.keyed
	lost_before(cell.lost_until_ns, window)
	recorded(cell.complete_from_ns, window)
	time.parse_duration_ns(window) <= cell.ttl_ns
}

lost_before(0, _)

lost_before(at, window) if {
	at > 0
	at < start(window)
}

recorded(0, _)

recorded(at, window) if {
	at > 0
	at <= start(window)
}

surely(fact, lookup, window) := [p |
	input.memory[fact][lookup].keyed
	some p in points(input.memory[fact][lookup])
	p.state == "settled"
	p.at_ns >= start(window)
]

# The points of a cell, whatever its kind.
points(cell) := cell.entries if cell.kind == "ring"

points(cell) := [p | some p in array.concat(settled_point(cell), open_points(cell))] if cell.kind == "last"

settled_point(cell) := [{"at_ns": cell.settled_at_ns, "state": "settled"}] if cell.settled

settled_point(cell) := [] if not cell.settled

# Those that wait for their outcome, or will never have one: the latest stands
# for all.
open_points(cell) := [{"at_ns": cell.latest_at_ns, "state": state} |
	some state in {"pending", "unknown"}
	cell[state] > 0
]

# What fell out of a ring, where some of it may be within the window.
fallen_out(cell, _) := 0 if cell.kind == "last"

fallen_out(cell, window) := 0 if {
	cell.kind == "ring"
	cell.residue.latest_at_ns < start(window)
}

fallen_out(cell, window) := cell.residue.count if {
	cell.kind == "ring"
	cell.residue.latest_at_ns >= start(window)
}

fallen_sum(cell, window) := cell.residue.sum if fallen_out(cell, window) > 0

fallen_sum(cell, window) := 0 if fallen_out(cell, window) == 0
