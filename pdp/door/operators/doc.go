// Package operators is the operators' door: JSON over HTTP, for now on a Unix
// socket alone. Whoever calls is who the kernel says they are (SO_PEERCRED):
// there is no anonymous call, and no name that a client could choose.
//
//	POST /v1/revocations           revoke                    revoker    201 an acknowledgement
//	POST /v1/revocations/lift      take it back              revoker    200 an acknowledgement
//	GET  /v1/revocations           list them                 viewer     200 {"revocations": […]}
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
// caller who may not; nothing was done then. After 503 the order may or may not
// count, and must be given again.
//
// Every path asks for a role: a viewer sees, a revoker ends authority, an approver
// gives some back to a session (and later answers challenges); policy will come.
// On the socket the user that remit runs as, and root, have all of them; mTLS and
// OIDC will bring others.
package operators
