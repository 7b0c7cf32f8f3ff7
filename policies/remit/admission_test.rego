package remit.admission_test

import data.remit.admission

test_nothing_said_refuses if {
	d := admission.decision with data.packs as {}
	d.admit == false
	d.reasons == {{"code": "nothing_admits", "message": "no rule admits this session"}}
	d.task == {"source": "none"}
}

test_admit if {
	d := admission.decision with data.packs as {"a": {"admit": {{"code": "yes"}}}}
	d == {"admit": true, "reasons": {{"code": "yes"}}, "task": {"source": "none"}}
}

test_refuse_wins if {
	d := admission.decision with data.packs as {"a": {"admit": {{"code": "yes"}}}, "b": {"refuse": {{"code": "no"}}}}
	d.admit == false
	d.reasons == {{"code": "no"}}
}

test_the_narrowest_session_of_all_packs if {
	d := admission.decision with data.packs as {
		"a": {"admit": {{"code": "yes"}}, "session_expires_in": 60, "session_idle": 20, "task": {"purpose": "x"}},
		"b": {"session_expires_in": 30, "session_idle": 40, "task": {"source": "claim"}, "inherit_none": true},
	}
	d.expires_in == 30
	d.idle == 20
	d.task == {"purpose": "x", "source": "claim"}
	d.inherit == "none"
}
