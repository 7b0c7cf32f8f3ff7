# METADATA
# title: Admission
# description: |
#   Whether a session may begin, asked before its first action. A pack writes
#
#     admit contains reason if ...
#     refuse contains reason if ...
#     task[name] := value if ...          what the session is for: input.session.task
#     session_expires_in := seconds if ...
#     session_idle := seconds if ...
#     inherit_none if ...                 labels of earlier sessions do not reach this one;
#                                         only on evidence the agent cannot make itself
#
#   Refuse wins, and nothing said refuses. Of a pack in observe
#   (data.remit.observe.packs) nothing has an effect: what it refuses is
#   recorded as would_deny.
package remit.admission

import data.remit.rollout

# METADATA
# entrypoint: true
# scope: document
decision["admit"] := admitted

decision["reasons"] := reasons

decision["task"] := task

decision["expires_in"] := min(limits) if {
	limits := [s | some pack; s := data.packs[pack].session_expires_in; not rollout.observes(pack)]
	count(limits) > 0
}

decision["idle"] := min(limits) if {
	limits := [s | some pack; s := data.packs[pack].session_idle; not rollout.observes(pack)]
	count(limits) > 0
}

decision["inherit"] := "none" if {
	some pack
	data.packs[pack].inherit_none == true
	not rollout.observes(pack)
}

decision["would_deny"] := would_deny if count(would_deny) > 0

refusals contains r if {
	some pack
	some r in data.packs[pack].refuse
	not rollout.observes(pack)
}

admissions contains r if {
	some pack
	some r in data.packs[pack].admit
	not rollout.observes(pack)
}

would_deny contains rollout.observed(pack, "out_of_scope", r) if {
	some pack in data.remit.observe.packs
	some r in data.packs[pack].refuse
}

default admitted := false

admitted if {
	count(refusals) == 0
	count(admissions) > 0
}

reasons := admissions if admitted

reasons := refusals if count(refusals) > 0

reasons := {{"code": "nothing_admits", "message": "no rule admits this session"}} if {
	count(refusals) == 0
	count(admissions) == 0
}

default task := {"source": "none"}

task := object.union_n(tasks) if {
	tasks := [t | some pack; t := data.packs[pack].task; not rollout.observes(pack)]
	some t in tasks
	count(t) > 0
}
