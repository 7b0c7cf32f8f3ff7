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
#   Refuse wins, and nothing said refuses.
package remit.admission

# METADATA
# entrypoint: true
# scope: document
decision["admit"] := admitted

decision["reasons"] := reasons

decision["task"] := task

decision["expires_in"] := min([s | s := data.packs[_].session_expires_in]) if data.packs[_].session_expires_in

decision["idle"] := min([s | s := data.packs[_].session_idle]) if data.packs[_].session_idle

decision["inherit"] := "none" if data.packs[_].inherit_none == true

refusals := {r | some r in data.packs[_].refuse}

admissions := {r | some r in data.packs[_].admit}

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

task := object.union_n([t | t := data.packs[_].task]) if some _ in data.packs[_].task
