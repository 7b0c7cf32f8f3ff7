# METADATA
# title: An example
# description: |
#   A request that the starter pack allows. Tests change what they are about:
#
#     object.union(example.request, {"target": {"known": false}})
package remit.example

now := 1800000000000000000

minute := 60000000000

request := {
	"request": {"protocol": "mcp", "method": "POST", "body_state": "complete"},
	"agent": {
		"id": "support-agent",
		"kind": "jwt",
		"registered": true,
		"claims": {},
		"chain": [{"id": "user:ada"}],
		"activity": {"windows": {
			"1m": {"actions": {"lo": 3, "hi": 5}},
			"1h": {"denied": {"lo": 0, "hi": 1}},
		}},
		"profile": {
			"systems": ["tickets"],
			"operations": ["discover", "read", "write", "send", "delete", "credential"],
			"max_sensitivity": "confidential",
			"destructive": ["tickets"],
		},
	},
	"session": {
		"state": "open",
		"age_seconds": 60,
		"task": {"source": "none"},
		"actions": 3,
		"asked": 0,
		"labels": {},
		"targets": 3,
		"targets_saturated": false,
		"systems": ["tickets"],
		"consecutive_denied": 0,
		"windows": {"1m": {"actions": {"lo": 3, "hi": 5}}},
	},
	"action": {"operation": "read", "tool": "read_ticket", "arguments": {"ticket": "7"}, "digest": "d1"},
	"target": {
		"known": true,
		"id": "tickets:ticket 7",
		"system": "tickets",
		"resource": "ticket 7",
		"sensitivity": "internal",
		"level": 1,
		"labels": [],
		"definition": {"state": "unpinned"},
		"new_to_session": false,
	},
	"memory": {"same_call": {"this": ring([])}, "marked": {"here": unmarked}},
	"budgets": {},
	"task": {},
	"time": {"now_ns": now},
}

# A ring with these entries, newest first, and nothing lost.
ring(entries) := {
	"kind": "ring",
	"keyed": true,
	"ttl_ns": 60 * minute,
	"entries": entries,
	"residue": {"count": 0, "sum": 0, "latest_at_ns": 0},
	"lost_until_ns": 0,
	"complete_from_ns": 0,
}

# An entry, minutes ago.
entry(ago, state) := {"at_ns": now - (ago * minute), "seq": 100 - ago, "value": 2, "state": state}

# A `last` that never happened.
never := {
	"kind": "last",
	"keyed": true,
	"ttl_ns": 60 * minute,
	"settled": false,
	"settled_at_ns": 0,
	"settled_seq": 0,
	"values": [],
	"pending": 0,
	"unknown": 0,
	"latest_at_ns": 0,
	"latest_seq": 0,
	"lost_until_ns": 0,
	"complete_from_ns": 0,
}

# A target that nobody who carried a label wrote to.
unmarked := object.union(never, {"ttl_ns": (25 * 60) * minute})

# A target that was marked with labels a minute ago.
marked(names) := object.union(settled(1), {"ttl_ns": (25 * 60) * minute, "values": [names]})

# A `last` that happened minutes ago, and is settled.
settled(ago) := object.union(never, {
	"settled": true,
	"settled_at_ns": now - (ago * minute),
	"settled_seq": 100 - ago,
	"latest_at_ns": now - (ago * minute),
	"latest_seq": 100 - ago,
	"values": ["v"],
})

# A `last` that is in flight, or of which nobody knows how it ended.
open(ago, state) := object.union(never, {
	state: 1,
	"latest_at_ns": now - (ago * minute),
	"latest_seq": 100 - ago,
})

changed(change) := object.union(request, change)

codes(reasons) := {r.code | some r in reasons}
