package operators

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/remit-pdp/remit/pdp"
)

// Role is what a path asks of its caller. None holds another.
type Role string

// The roles there are.
const (
	Viewer   Role = "viewer"   // sees
	Revoker  Role = "revoker"  // ends authority
	Approver Role = "approver" // gives some of it back to a session
)

// A caller is who was proved to call, and what may be asked in that name. The zero
// value is nobody and may nothing.
type caller struct {
	name  string // as records have it
	roles []Role
	among string // who has roles, in a sentence; "" says nothing
}

// callerKey is where a request's context holds its caller.
type callerKey struct{}

// may returns why the caller does not have a role.
func (c caller) may(r Role) error {
	if slices.Contains(c.roles, r) {
		return nil
	}
	return fmt.Errorf("%s does not have the role %s%s", c.name, r, c.among)
}

// whoCalls proves who is at the other end: to the kernel on a socket, by a
// certificate or a token over TLS, and nobody in any other way. Errors are for the
// log, never for the caller.
func (s *Server) whoCalls(request *http.Request) (caller, error) {
	if local, ok := request.Context().Value(kernelKey{}).(kernel); ok {
		return local.caller()
	}
	switch {
	case request.TLS == nil:
		return caller{}, errors.New("the connection says nothing of its caller")
	case s.settings.Network == nil:
		return caller{}, errors.New("nobody has a role over TCP")
	}
	return s.settings.Network.prove(request)
}

// unproved answers a call whose caller was not proved, and tells nothing that
// would help to guess. A challenge belongs to it (RFC 9110 section 15.5.2).
// That the issuer's keys are not there is no verdict on a credential.
func (s *Server) unproved(w http.ResponseWriter, err error) {
	status := http.StatusUnauthorized
	if refusal, ok := errors.AsType[*pdp.Refusal](err); ok && refusal.Class == pdp.Unavailable {
		status = http.StatusServiceUnavailable
	} else {
		w.Header().Set("www-authenticate", s.settings.Network.challenge())
	}
	answer(w, status, "application/problem+json", problem{Type: "about:blank", Title: http.StatusText(status), Status: status})
}
