# METADATA
# title: What can happen to an agent's session
# description: A denial, a session that the policy closes, and one that is over soon.
package packs.clients

admit contains "anybody" if input.agent.kind == "jwt"

allow contains "known" if input.target.known

deny contains {"code": "unknown_target", "message": "the target is not known"} if not input.target.known

session["close"] if input.action.tool == "delete_ticket"

session_expires_in := 3 if input.agent.claims.sid == "short"
