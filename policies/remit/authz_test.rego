package remit.authz_test

import data.remit.authz

decide(packs) := object.filter(d, ["effect", "reasons", "class", "retry_seconds"]) if {
	d := authz.decision with data.packs as packs
}

test_nothing_said_denies if {
	decide({}) == {
		"effect": "deny",
		"reasons": [{"code": "nothing_allows", "message": "no rule allows this"}],
	}
}

test_allow if {
	decide({"a": {"allow": {"yes"}}}) == {"effect": "allow", "reasons": [{"code": "yes"}]}
}

test_challenge_wins_over_allow if {
	d := decide({"a": {"allow": {"yes"}}, "b": {"challenge": {{"code": "ask", "message": "a person must agree"}}}})
	d == {"effect": "challenge", "reasons": [{"code": "ask", "message": "a person must agree"}]}
}

test_deny_wins_over_all if {
	d := decide({"a": {"allow": {"yes"}}, "b": {"challenge": {"ask"}}, "c": {"deny": {"no"}}})
	d == {"effect": "deny", "class": "out_of_scope", "reasons": [{"code": "no"}]}
}

test_a_denial_of_a_wrong_type_is_not_lost if {
	authz.effect == "deny" with data.packs as {"a": {"allow": {"yes"}}, "b": {"deny": {7}}}
}

test_class_is_the_one_that_tells_most if {
	decide({"a": {"deny": {{"code": "p", "class": "pending"}, {"code": "b", "class": "budget_spent"}}}}).class == "budget_spent"
	decide({"a": {"deny": {{"code": "p", "class": "pending"}, "plain"}}}).class == "out_of_scope"
	decide({"a": {"deny": {{"code": "p", "class": "pending"}}}}).class == "pending"
}

test_retry_only_where_every_cause_passes if {
	decide({"a": {"deny": {{"code": "p", "retry_seconds": 5}, {"code": "q", "retry_seconds": 9}}}}).retry_seconds == 9
	not decide({"a": {"deny": {{"code": "p", "retry_seconds": 5}, "plain"}}}).retry_seconds
}

effects := {
	"allow": {"yes"},
	"remember": {{"fact": "f", "key": [], "on": "attempted"}},
	"charge": {"mails": 1, "calls": 2},
	"label": {"pii"},
	"session": {"quarantine": true, "expires_in": 60},
	"headers": {"x-a": "1"},
	"response_headers_to_add": {"x-b": "2"},
	"request_headers_to_remove": {"x-c"},
	"dynamic_metadata": {"team": "support"},
}

test_effects_of_all_packs_are_merged if {
	d := authz.decision with data.packs as {
		"a": effects,
		"b": {"charge": {"mails": 2}, "label": {"secret"}, "session": {"close": true, "expires_in": 30}, "headers": {"x-d": "3"}},
	}
	d == {
		"effect": "allow",
		"reasons": [{"code": "yes"}],
		"remember": {{"fact": "f", "key": [], "on": "attempted"}},
		"charge": {"mails": 3, "calls": 2},
		"labels": {"pii", "secret"},
		"session": {"quarantine": true, "close": true, "expires_in": 30},
		"headers": {"x-a": "1", "x-d": "3"},
		"response_headers_to_add": {"x-b": "2"},
		"request_headers_to_remove": {"x-c"},
		"dynamic_metadata": {"team": "support"},
	}
}

# Invariant 13: a denied action spends nothing. It may be remembered.
test_a_denial_has_no_effects_but_memory if {
	d := authz.decision with data.packs as {"a": effects, "b": {"deny": {"no"}}}
	object.keys(d) & {"charge", "labels", "headers", "response_headers_to_add", "request_headers_to_remove"} == set()
	d.remember == effects.remember
	d.session.quarantine == true
}

test_outcome_merges if {
	o := authz.outcome with data.packs as {
		"a": {"outcome_remember": {{"fact": "f", "key": [], "on": "done"}}},
		"b": {"outcome_label": {"pii"}},
	}
	o == {"remember": {{"fact": "f", "key": [], "on": "done"}}, "labels": {"pii"}}
}
