// Package operators is the operators' door: JSON over HTTP/1.1, on a Unix socket
// and, where it is configured, over TCP with TLS. There is no anonymous call, and no
// name that a client could choose: on the socket whoever calls is who the kernel
// says they are (SO_PEERCRED), over TCP who a certificate or a bearer token
// (RFC 6750) proves.
//
//	POST /v1/revocations           revoke                    revoker    201 an acknowledgement
//	POST /v1/revocations/lift      take it back              revoker    200 an acknowledgement
//	GET  /v1/revocations           list them                 viewer     200 {"revocations": […]}
//	GET  /v1/sessions              list the sessions         viewer     200 {"sessions": […]}
//	GET  /v1/sessions/ID           show one                  viewer     200 what remit session show prints
//	POST /v1/sessions/close        end a session for good    revoker    200 an acknowledgement
//	POST /v1/sessions/release      take a quarantine back    approver   200 an acknowledgement
//	POST /v1/sessions/clear-label  take a label off          approver   200 an acknowledgement
//
// To revoke is {"kind", "subject", "issuer", "reason", "for_seconds"}: see
// [Order]; an order about a session is {"session", "label", "reason"}: see
// [SessionOrder]. They are acknowledged with [Acknowledgement] and
// [SessionAcknowledgement]: once that is sent, no allow that the order forbids is
// accepted any more. Errors are application/problem+json (RFC 9457): 400 for an
// order that is wrong, 404 for a session, a revocation or a label that is not
// there, 409 for a session that has ended or is not in quarantine, 403 for a
// caller who may not, 401 for one who is not proved (with a challenge and no reason:
// that is in remit's log); nothing was done then. After 503 the order may or may not
// count, and must be given again.
//
// Every path asks for a role: a viewer sees, a revoker ends authority, an approver
// gives some back to a session (and later answers challenges); policy will come. No
// role holds another. On the socket the user that remit runs as, and root, have all
// of them; over TCP a caller has those that [Network] gives to the certificate, or to
// the groups of the token. Whoever shows a token is who the token says, and a bad one
// is not made up for by a certificate.
//
// Every call has a connection of its own, so that a certificate is held against the
// authorities that are in force by then. A browser gives no order for a page of
// somebody else's (Fetch metadata, Origin).
package operators
