# METADATA
# title: The end of authority
# description: A policy that allows all it knows, ends its own sessions, and tells a session that follows a revoked one.
package packs.revocation

admit contains "anybody" if input.agent.kind == "jwt"

refuse contains {"code": "after_revocation", "message": "the last session was revoked"} if {
	input.session.after_revocation
	input.agent.root == "user:strict"
}

allow contains "known" if input.target.known

session["close"] := true if startswith(input.request.path, "/v1/close")

deny contains {"code": "closed_with_this", "message": "no, and this was the last"} if {
	input.request.path == "/v1/close-denied"
}

session["quarantine"] := true if input.request.path == "/v1/quarantine"
