# METADATA
# title: The end of authority
# description: A policy that allows all it knows, ends its own sessions, sends nothing after it read a page, and tells a session that follows a revoked one.
package packs.revocation

admit contains "anybody" if input.agent.kind == "jwt"

refuse contains {"code": "after_revocation", "message": "the last session was revoked"} if {
	input.session.after_revocation
	input.agent.root == "user:strict"
}

allow contains "known" if input.target.known

deny contains {"code": "send_after_untrusted_content", "message": "the session read what anybody could have written"} if {
	input.action.operation == "send"
	input.session.labels["untrusted-content"]
}

session["close"] := true if startswith(input.request.path, "/v1/close")

deny contains {"code": "closed_with_this", "message": "no, and this was the last"} if {
	input.request.path == "/v1/close-denied"
}

session["quarantine"] := true if input.request.path == "/v1/quarantine"
