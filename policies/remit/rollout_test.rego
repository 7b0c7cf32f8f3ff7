package remit.rollout_test

import data.remit.admission
import data.remit.authz

packs := {
	"base": {"allow": {"yes"}, "headers": {"x-base": "1"}},
	"new": {
		"allow": {"new says so"},
		"deny": {"no", {"code": "later", "class": "pending", "retry_seconds": 3}},
		"challenge": {{"code": "ask", "message": "a person must agree"}},
		"remember": {{"fact": "f", "key": [], "on": "attempted"}},
		"charge": {"mails": 1},
		"label": {"pii"},
		"session": {"quarantine": true, "close": true, "expires_in": 5},
		"headers": {"x-new": "1"},
		"response_headers_to_add": {"x-new": "1"},
		"request_headers_to_remove": {"x-old"},
		"dynamic_metadata": {"new": true},
		"outcome_label": {"pii"},
		"outcome_remember": {{"fact": "f", "key": [], "on": "done"}},
		"refuse": {{"code": "not_now"}},
		"admit": {"new admits"},
		"task": {"purpose": "new"},
		"session_expires_in": 1,
		"session_idle": 1,
		"inherit_none": true,
	},
}

observing := {"packs": ["new"], "systems": [], "listeners": []}

test_enforced_it_denies if {
	authz.effect == "deny" with data.packs as packs
	authz.effect == "deny" with data.packs as packs with data.remit.observe as {"packs": [], "systems": [], "listeners": []}
	authz.effect == "deny" with data.packs as packs with data.remit.observe as {"packs": ["base"]}
}

test_in_observe_nothing_it_says_has_an_effect_but_its_memory if {
	d := authz.decision with data.packs as packs with data.remit.observe as observing
	object.remove(d, ["would_deny"]) == {
		"effect": "allow",
		"reasons": [{"code": "yes"}],
		"remember": {{"fact": "f", "key": [], "on": "attempted"}},
		"session": {},
		"charge": {},
		"labels": set(),
		"headers": {"x-base": "1"},
		"response_headers_to_add": {},
		"request_headers_to_remove": set(),
		"dynamic_metadata": {},
	}
}

test_in_observe_it_says_what_it_would_deny if {
	d := authz.decision with data.packs as packs with data.remit.observe as observing
	d.would_deny == {
		{"pack": "new", "class": "out_of_scope", "code": "no"},
		{"pack": "new", "class": "pending", "code": "later", "retry_seconds": 3},
		{"pack": "new", "class": "needs_approval", "code": "ask", "message": "a person must agree"},
	}
}

test_its_allow_grants_nothing if {
	d := authz.decision with data.packs as {"new": packs.new} with data.remit.observe as observing
	d.effect == "deny"
	d.reasons == [{"code": "nothing_allows", "message": "no rule allows this"}]
}

test_who_is_revoked_or_not_proved_stays_out[class] if {
	some class in ["revoked", "unauthenticated", "unreadable"]
	d := authz.decision with data.packs as {"base": packs.base, "new": {"deny": {{"code": "no", "class": class}}}}
		with data.remit.observe as observing
	d.effect == "deny"
	d.class == class
	not d.would_deny
}

test_a_mistake_of_the_pack_is_told_and_not_enforced if {
	d := authz.decision with data.packs as {"base": packs.base, "new": {"deny": {7}}} with data.remit.observe as observing
	d.effect == "allow"
	d.would_deny == {{"pack": "new", "class": "out_of_scope", "code": "not_a_reason"}}
}

test_outcomes_leave_no_label if {
	o := authz.outcome with data.packs as packs with data.remit.observe as observing
	o == {"labels": set(), "remember": {{"fact": "f", "key": [], "on": "done"}}}
}

test_admission if {
	with_base := object.union(packs, {"base": {"admit": {"welcome"}}})
	enforced := admission.decision with data.packs as with_base
	enforced.admit == false
	d := admission.decision with data.packs as with_base with data.remit.observe as observing
	d == {
		"admit": true,
		"reasons": {"welcome"},
		"task": {"source": "none"},
		"would_deny": {{"pack": "new", "class": "out_of_scope", "code": "not_now"}},
	}
}

test_plain_codes_of_a_refusal if {
	d := admission.decision with data.packs as {"new": {"refuse": {"no"}}} with data.remit.observe as observing
	d.admit == false
	d.would_deny == {{"pack": "new", "class": "out_of_scope", "code": "no"}}
}
