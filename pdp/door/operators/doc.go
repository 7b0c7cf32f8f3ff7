// Package operators is the operators' door: JSON over HTTP, for now on a Unix
// socket alone. Whoever calls is who the kernel says they are (SO_PEERCRED):
// there is no anonymous call, and no name that a client could choose.
//
//	POST /v1/revocations        revoke         201 an acknowledgement
//	POST /v1/revocations/lift   take it back   200 an acknowledgement
//	GET  /v1/revocations        list them      200 {"revocations": […]}
//
// An order is {"kind", "subject", "issuer", "reason", "for_seconds"}: see
// [Order]. An acknowledgement is [Acknowledgement]: once it is sent, no allow
// that the revocation covers is accepted any more. Errors are
// application/problem+json (RFC 9457): 400 for an order that is wrong, 404 for
// a session or a revocation that is not there, 403 for a caller who may not,
// 503 where the order was not acknowledged and must be given again.
//
// Every path asks for a role (viewer, revoker, and later approver and policy).
// On the socket the user that remit runs as, and root, have all of them; mTLS
// and OIDC will bring others.
package operators
