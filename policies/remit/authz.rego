# METADATA
# title: The decision
# description: |
#   Merges the small rules of every package below data.packs into one decision.
#   A pack writes any of
#
#     deny contains reason if ...         reason: a code, or {code, message, controls, class, retry_seconds}
#     challenge contains reason if ...    a person must approve this very action first
#     allow contains reason if ...
#     remember contains memo if ...       {fact, key, value, on}
#     charge[budget] := n if ...
#     label contains name if ...          the session carries it from an allow on
#     session[directive] := value if ...  quarantine, close, expires_in (seconds)
#     headers, response_headers_to_add, request_headers_to_remove, dynamic_metadata
#
#   Deny wins over challenge, challenge over allow, and nothing said denies.
#
#   What a pack in observe (data.remit.observe.packs) says has no effect but
#   what it remembers: its denials and challenges are recorded as would_deny.
#   Those for revocation, and of who or what cannot be told, stand.
package remit.authz

import data.remit.rollout

# METADATA
# entrypoint: true
# scope: document
decision["effect"] := effect

decision["reasons"] := [object.remove(r, ["class", "retry_seconds"]) | some r in reasons]

decision["class"] := class

decision["retry_seconds"] := retry_seconds

decision["remember"] := {memo | some memo in data.packs[_].remember}

decision["session"] := session

decision["charge"] := charge if effect == "allow"

decision["labels"] := {name | some pack; some name in data.packs[pack].label; not rollout.observes(pack)} if effect == "allow"

decision["would_deny"] := would_deny if count(would_deny) > 0

decision["headers"] := object.union_n([h | some pack; h := data.packs[pack].headers; not rollout.observes(pack)]) if effect == "allow"

decision["response_headers_to_add"] := object.union_n(added) if {
	effect == "allow"
	added := [h | some pack; h := data.packs[pack].response_headers_to_add; not rollout.observes(pack)]
}

decision["request_headers_to_remove"] := removed if {
	effect == "allow"
	removed := {h | some pack; some h in data.packs[pack].request_headers_to_remove; not rollout.observes(pack)}
}

decision["dynamic_metadata"] := object.union_n([m | some pack; m := data.packs[pack].dynamic_metadata; not rollout.observes(pack)])

default effect := "deny"

effect := "challenge" if {
	count(denials) == 0
	count(challenges) > 0
}

effect := "allow" if {
	count(denials) == 0
	count(challenges) == 0
	count(allowances) > 0
}

denials contains normal(r) if {
	some pack
	some r in data.packs[pack].deny
	rollout.enforces(pack, r)
}

challenges contains normal(r) if {
	some pack
	some r in data.packs[pack].challenge
	not rollout.observes(pack)
}

allowances contains normal(r) if {
	some pack
	some r in data.packs[pack].allow
	not rollout.observes(pack)
}

would_deny contains rollout.observed(pack, "out_of_scope", normal(r)) if {
	some pack in data.remit.observe.packs
	some r in data.packs[pack].deny
	not rollout.enforces(pack, r)
}

would_deny contains rollout.observed(pack, "needs_approval", normal(r)) if {
	some pack in data.remit.observe.packs
	some r in data.packs[pack].challenge
}

reasons := allowances if effect == "allow"

reasons := challenges if effect == "challenge"

reasons := denials if {
	effect == "deny"
	count(denials) > 0
}

reasons := {{"code": "nothing_allows", "message": "no rule allows this"}} if {
	effect == "deny"
	count(denials) == 0
}

# A reason may be given by its code alone.
normal(reason) := reason if is_object(reason)

normal(reason) := {"code": reason} if is_string(reason)

# Anything else is a mistake in a pack: it stays as it is, so that the
# decision is of the wrong type, and denies as such.
normal(reason) := reason if {
	not is_object(reason)
	not is_string(reason)
}

# What an agent is told when several rules deny for different causes: the
# first of these that any of them names.
precedence := [
	"revoked", "unauthenticated", "unavailable", "unreadable",
	"out_of_scope", "needs_approval", "budget_spent", "pending",
]

class := [c | some c in precedence; some r in denials; object.get(r, "class", "out_of_scope") == c][0] if {
	effect == "deny"
}

# Trying again helps only where every cause passes by itself.
retry_seconds := max([r.retry_seconds | some r in denials]) if {
	count(denials) > 0
	every r in denials { r.retry_seconds > 0 }
}

charge[name] := sum([n | some pack; n := data.packs[pack].charge[name]; not rollout.observes(pack)]) if {
	some pack
	some name, _ in data.packs[pack].charge
	not rollout.observes(pack)
}

session["quarantine"] if {
	some pack
	data.packs[pack].session.quarantine == true
	not rollout.observes(pack)
}

session["close"] if {
	some pack
	data.packs[pack].session.close == true
	not rollout.observes(pack)
}

session["expires_in"] := min(limits) if {
	limits := [s | some pack; s := data.packs[pack].session.expires_in; not rollout.observes(pack)]
	count(limits) > 0
}

# METADATA
# title: After the outcome
# description: |
#   Merges what packs make of an action's outcome: outcome_remember contains
#   memo if ..., outcome_label contains name if .... It can add, never allow
#   or deny.
# scope: document
outcome["remember"] := {memo | some memo in data.packs[_].outcome_remember}

outcome["labels"] := {name | some pack; some name in data.packs[pack].outcome_label; not rollout.observes(pack)}
