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
package remit.authz

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

decision["labels"] := {name | some name in data.packs[_].label} if effect == "allow"

decision["headers"] := object.union_n([h | h := data.packs[_].headers]) if effect == "allow"

decision["response_headers_to_add"] := object.union_n([h | h := data.packs[_].response_headers_to_add]) if {
	effect == "allow"
}

decision["request_headers_to_remove"] := {h | some h in data.packs[_].request_headers_to_remove} if {
	effect == "allow"
}

decision["dynamic_metadata"] := object.union_n([m | m := data.packs[_].dynamic_metadata])

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

denials := {normal(r) | some r in data.packs[_].deny}

challenges := {normal(r) | some r in data.packs[_].challenge}

allowances := {normal(r) | some r in data.packs[_].allow}

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

charge[name] := sum([n | n := data.packs[_].charge[name]]) if some name, _ in data.packs[_].charge

session["quarantine"] if data.packs[_].session.quarantine == true

session["close"] if data.packs[_].session.close == true

session["expires_in"] := min([s | s := data.packs[_].session.expires_in]) if data.packs[_].session.expires_in

# METADATA
# title: After the outcome
# description: |
#   Merges what packs make of an action's outcome: outcome_remember contains
#   memo if ..., outcome_label contains name if .... It can add, never allow
#   or deny.
# scope: document
outcome["remember"] := {memo | some memo in data.packs[_].outcome_remember}

outcome["labels"] := {name | some name in data.packs[_].outcome_label}
