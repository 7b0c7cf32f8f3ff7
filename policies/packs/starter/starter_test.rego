# The starter pack as a whole: what one change to an allowed request makes of it.
package packs.starter_test

import data.remit.admission
import data.remit.authz
import data.remit.example
import data.remit.settings

codes(change) := example.codes(d.reasons) if d := authz.decision with input as example.changed(change)

effect(change) := e if e := authz.decision.effect with input as example.changed(change)

test_the_example_is_allowed if {
	effect({}) == "allow"
	codes({}) == {"within_task"}
}

denials := {
	"identity_required": {
		"agent": {"kind": "none", "id": "", "registered": false, "profile": {}},
		"session": {"state": "none"},
	},
	"agent_not_registered": {"agent": {"registered": false}},
	"unknown_target": {"target": {"known": false}},
	"system_out_of_task": {"target": {"system": "payroll"}},
	"operation_out_of_task": {"action": {"operation": "admin"}},
	"tool_out_of_task": {"agent": {"profile": {"tools": ["search"]}}},
	"sensitivity_out_of_task": {"target": {"sensitivity": "restricted", "level": 3}},
	"session_too_old": {
		"session": {"age_seconds": settings.max_age_seconds.confidential + 1},
		"target": {"sensitivity": "confidential", "level": 2},
	},
	"write_too_late": {
		"session": {"age_seconds": settings.write_age_seconds + 1},
		"action": {"operation": "write"},
	},
	"send_after_untrusted_content": {
		"session": {"labels": {"untrusted-content": {"since_seconds": 1}}},
		"action": {"operation": "send"},
	},
	"write_after_untrusted_content": {
		"session": {"labels": {"untrusted-content": {"since_seconds": 1}}},
		"action": {"operation": "write"},
	},
	"send_after_secret": {
		"session": {"labels": {"secret": {"since_seconds": 1}}},
		"action": {"operation": "send"},
	},
	"history_incomplete": {
		"session": {"labels": {"history-incomplete": {"since_seconds": 1}}},
		"action": {"operation": "write"},
	},
	"destructive_operation": {
		"action": {"operation": "delete"},
		"agent": {"profile": {"destructive": []}},
	},
	"destructive_too_late": {
		"action": {"operation": "delete"},
		"session": {"age_seconds": settings.destructive_age_seconds + 1},
	},
	"destructive_for_nobody": {"action": {"operation": "delete"}, "agent": {"chain": []}},
	"too_many_actions": {"session": {"windows": {"1m": {"actions": {"lo": 1, "hi": settings.actions_per_minute}}}}},
	"repeated_call": {"memory": {"same_call": {"this": example.ring([example.entry(0, "settled") |
		some _ in numbers.range(1, settings.same_call_per_minute)
	])}}},
	"too_many_denials": {
		"session": {"consecutive_denied": settings.denials_in_a_row},
		"action": {"operation": "write"},
	},
	"reach": {
		"session": {"targets": settings.max_targets},
		"target": {"new_to_session": true},
	},
	"too_many_questions": {
		"session": {"asked": settings.questions_in_a_session + 1},
		"action": {"operation": "write"},
	},
	"task_actions_spent": {"session": {"actions": 5, "task": {"source": "declared", "limits": {"actions": 5}}}},
	"body_not_seen": {"request": {"body_state": "truncated"}},
	"outside_after_secret": {
		"session": {"labels": {"secret": {"since_seconds": 1}}},
		"target": {"labels": ["outside"]},
	},
}

# What an agent does over all its sessions.
test_an_agent_that_begins_anew_is_not_forgotten if {
	busy := {"agent": {"activity": {"windows": {"1m": {"actions": {"hi": settings.agent_actions_per_minute}}}}}}
	"too_many_actions" in codes(busy)
	probing := {"agent": {"activity": {"windows": {"1h": {"denied": {"hi": settings.agent_denials_per_hour}}}}}}
	effect(probing) == "allow"
	"too_many_denials" in codes(object.union(probing, {"action": {"operation": "write"}}))
}

# What is not there is not little: the rules that compare deny without it.
needed := {
	"/session/age_seconds": "session_too_old",
	"/target/sensitivity": "session_too_old",
	"/target/level": "sensitivity_out_of_task",
	"/session/windows": "too_many_actions",
	"/agent/activity": "too_many_actions",
	"/session/targets": "reach",
}

test_what_is_not_there_denies[path] if {
	some path, code in needed
	whole := example.changed({"target": {"new_to_session": true}})
	d := authz.decision with input as json.remove(whole, [path])
	d.effect == "deny"
	code in example.codes(d.reasons)
}

test_a_write_without_an_age_is_denied if {
	write := example.changed({"action": {"operation": "delete"}, "agent": {"activity": {"windows": {"1h": {"denied": {"hi": 0}}}}}})
	d := authz.decision with input as json.remove(write, ["/session/age_seconds"])
	example.codes(d.reasons) & {"write_too_late", "destructive_too_late"} == {"write_too_late", "destructive_too_late"}
	unknown := authz.decision with input as json.remove(write, ["/agent/activity/windows/1h"])
	"too_many_denials" in example.codes(unknown.reasons)
}

# What must be seen whole before it is judged.
unseen := {
	"a gRPC stream that writes": {
		"request": {"protocol": "grpc", "body_state": "unseen"},
		"action": {"operation": "write"},
	},
	"a message of which no descriptor set knows": {
		"request": {"protocol": "grpc", "body_state": "unreadable"},
		"action": {"operation": "write"},
	},
	"an agent's message": {"request": {"protocol": "a2a", "body_state": "unseen"}},
}

test_what_must_be_seen[what] if {
	some what, change in unseen
	"body_not_seen" in codes(change)
}

test_what_is_denied_and_why[code] if {
	some code, change in denials
	effect(change) == "deny"
	code in codes(change)
}

allowed := {
	"a fresh write": {"action": {"operation": "write"}},
	"a gRPC stream that reads": {"request": {"protocol": "grpc", "body_state": "unseen"}},
	"a connection to a port that is described": {
		"request": {"protocol": "network", "body_state": "unseen"},
		"action": {"operation": "write"},
	},
	"a granted, fresh deletion for a person": {"action": {"operation": "delete"}},
	"reading after untrusted content": {"session": {"labels": {"untrusted-content": {}}}},
	"the last second of a session for a write": {
		"session": {"age_seconds": settings.write_age_seconds},
		"action": {"operation": "write"},
	},
	"the last call that is not too many": {"memory": {"same_call": {"this": example.ring([example.entry(0, "settled") |
		some _ in numbers.range(1, settings.same_call_per_minute - 1)
	])}}},
	"an unseen body of a plain read": {"request": {"body_state": "unseen", "protocol": "http"}},
	"the last action of a task": {"session": {"actions": 4, "task": {"source": "declared", "limits": {"actions": 5}}}},
	"reading after many questions": {"session": {"asked": settings.questions_in_a_session + 1}},
	"a new target within reach": {"target": {"new_to_session": true}},
	"a tool that is named": {"agent": {"profile": {"tools": ["read_ticket"]}}},
	"a discovery, over and over": {
		"action": {"operation": "discover"},
		"memory": {"same_call": {"this": example.ring([example.entry(0, "settled") | some _ in numbers.range(1, 15)])}},
	},
}

test_labels_beyond_the_bound_are_as_bad if {
	"history_incomplete" in codes({
		"session": {"labels": {"label-overflow": {"since_seconds": 1}}},
		"action": {"operation": "send"},
	})
}

test_what_is_allowed[name] if {
	some name, change in allowed
	effect(change) == "allow"
}

test_a_task_narrows_the_agent if {
	task := {"source": "claim", "systems": ["wiki"]}
	"system_out_of_task" in codes({"session": {"task": task}})
	effect({"session": {"task": object.union(task, {"systems": ["tickets"]})}}) == "allow"
}

test_nobody_is_told_to_identify_and_not_how_the_rest_would_go if {
	d := authz.decision with input as example.changed(denials.identity_required)
	d.class == "unauthenticated"
}

test_probing_ends_in_quarantine if {
	probing := example.changed({"session": {"consecutive_denied": settings.denials_to_quarantine - 1}})
	authz.decision.session.quarantine == true with input as probing
}

test_reading_a_credential_marks_the_session if {
	d := authz.decision with input as example.changed({"action": {"operation": "credential"}})
	d.effect == "allow"
	d.labels == {"secret"}
}

carrying(label) := {"session": {"labels": {label: {"since_seconds": 1}}}}

test_a_write_hands_its_labels_on if {
	write := object.union(carrying("secret"), {"action": {"operation": "write"}})
	d := authz.decision with input as example.changed(write)
	d.effect == "allow"
	{"fact": "marked", "key": ["tickets:ticket 7"], "value": [{"secret"}], "on": "allowed"} in d.remember

	again := object.union(write, {"memory": {"marked": {"here": example.marked(["untrusted-content"])}}})
	more := authz.decision with input as example.changed(again)
	{"fact": "marked", "key": ["tickets:ticket 7"], "value": [{"secret", "untrusted-content"}], "on": "allowed"} in more.remember

	plain := authz.decision with input as example.changed({"action": {"operation": "write"}})
	every memo in plain.remember { memo.fact != "marked" }
	harmless := authz.decision with input as example.changed(object.union(carrying("pii"), {"action": {"operation": "write"}}))
	every memo in harmless.remember { memo.fact != "marked" }
}

test_a_read_takes_them_on if {
	marked := {"memory": {"marked": {"here": example.marked(["secret"])}}}
	d := authz.decision with input as example.changed(marked)
	d.labels == {"secret"}
	unmarked := authz.decision with input as example.request
	unmarked.labels == set()
}

# Nobody can say what the target was handed: everything that there is.
test_a_read_of_what_may_have_been_marked if {
	lost := {"memory": {"marked": {"here": {"lost_until_ns": example.now}}}}
	d := authz.decision with input as example.changed(lost)
	d.labels == object.keys(settings.taint)
	unreadable := {"memory": {"marked": {"here": {"settled": true, "settled_at_ns": example.now, "values": ["fingerprint"]}}}}
	all := authz.decision with input as example.changed(unreadable)
	all.labels == object.keys(settings.taint)
}

test_sensitive_reads_are_charged if {
	sensitive := {"target": {"sensitivity": "confidential", "level": 2}}
	d := authz.decision with input as example.changed(sensitive)
	d.charge == {"sensitive_reads": 1}
	plain := authz.decision with input as example.request
	plain.charge == {}
	write := authz.decision with input as example.changed(object.union(sensitive, {"action": {"operation": "write"}}))
	write.charge == {}
}

test_every_call_is_remembered if {
	d := authz.decision with input as example.request
	d.remember == {{"fact": "same_call", "key": ["d1"], "on": "attempted"}}
}

test_a_registered_agent_is_admitted_with_the_task_of_its_token if {
	claims := {"task": {"purpose": "ticket 7", "systems": ["tickets"], "other": 1}}
	d := admission.decision with input as example.changed({"agent": {"claims": claims}})
	d.admit == true
	d.task == {"source": "claim", "purpose": "ticket 7", "systems": ["tickets"]}
}

declared := {
	"purpose": "answer ticket 7",
	"systems": ["tickets"],
	"operations": ["read"],
	"limits": {"expires_in_seconds": 600, "idle_seconds": 60, "actions": 20},
}

test_a_declared_task_becomes_the_sessions if {
	d := admission.decision with input as example.changed({"task": declared})
	d.admit == true
	d.task == object.union(declared, {"source": "declared"})
	d.expires_in == 600
	d.idle == 60
}

test_a_declared_task_narrows_the_one_of_the_token if {
	claims := {"task": {"purpose": "support", "systems": ["tickets"], "operations": ["read", "write"], "tools": ["read_ticket"]}}
	d := admission.decision with input as example.changed({"task": declared, "agent": {"claims": claims}})
	d.admit == true
	d.task == {
		"source": "claim",
		"purpose": "support",
		"systems": ["tickets"],
		"operations": ["read"],
		"tools": ["read_ticket"],
		"limits": declared.limits,
	}
}

too_much := {
	"a system": {"task": object.union(declared, {"systems": ["tickets", "payroll"]})},
	"an operation": {"task": object.union(declared, {"operations": ["admin"]})},
	"a tool": {"task": object.union(declared, {"tools": ["drop"]}), "agent": {"profile": {"tools": ["search"]}}},
	"more than the token's": {
		"task": object.union(declared, {"operations": ["write"]}),
		"agent": {"claims": {"task": {"operations": ["read"]}}},
	},
}

test_a_task_of_more_than_the_agent_may_do_is_not_admitted[name] if {
	some name, change in too_much
	d := admission.decision with input as example.changed(change)
	d.admit == false
	example.codes(d.reasons) == {"task_out_of_scope"}
}

test_an_unregistered_agent_is_not_admitted if {
	d := admission.decision with input as example.changed({"agent": {"registered": false}})
	d.admit == false
	d.reasons == {{"code": "agent_not_registered", "message": "this agent is not registered"}}
}

test_a_tool_that_was_changed if {
	"tool_definition_changed" in codes({"target": {"definition": {"state": "changed", "pinned": "a", "seen": "b"}}})
	not "tool_definition_changed" in codes({"target": {"definition": {"state": "same", "pinned": "a", "seen": "a"}}})
	not "tool_definition_changed" in codes({"target": {"definition": {"state": "unseen", "pinned": "a"}}})
}
