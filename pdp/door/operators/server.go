package operators

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

const (
	maxBody = 64 << 10
	// patience is how long an order may take, whether its caller waits or not.
	patience = 20 * time.Second
)

// Server answers operators.
type Server struct {
	revoker pdp.Revoker
	http    http.Server
	told    func(what string, err error)
}

// NewServer returns the door to revoker and keeper. told is told of every order,
// carried out (nil) or not, for remit's own log.
func NewServer(revoker pdp.Revoker, keeper pdp.SessionKeeper, told func(what string, err error)) *Server {
	s := &Server{revoker: revoker, told: told}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathRevocations, s.as(mayView, s.list))
	mux.HandleFunc("POST "+pathRevocations, s.as(mayRevoke, carryOut(s, http.StatusCreated, revoking(revoker.Revoke))))
	mux.HandleFunc("POST "+pathLift, s.as(mayRevoke, carryOut(s, http.StatusOK, revoking(revoker.Lift))))
	for kind, needed := range sessionRoles {
		mux.HandleFunc("POST "+pathSessions+string(kind), s.as(needed, carryOut(s, http.StatusOK, keeping(keeper, kind))))
	}
	s.http = http.Server{Handler: mux, ConnContext: withCaller, ReadTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return s
}

// Serve answers on l until Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown lets the orders under way end, for as long as ctx allows.
func (s *Server) Shutdown(ctx context.Context) error {
	return errors.Join(s.http.Shutdown(ctx), s.http.Close())
}

// as lets those through who have a role.
func (s *Server) as(r role, serve func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		c, known := request.Context().Value(callerKey{}).(caller)
		if !known {
			c.err = errors.New("the connection says nothing of its caller")
		}
		if err := c.may(r); err != nil {
			s.told("a caller was refused", err)
			refuse(w, http.StatusForbidden, err)
			return
		}
		serve(w, request, c)
	}
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request, _ caller) {
	all := Revocations{Revocations: []Revocation{}}
	for _, r := range s.revoker.Revocations() {
		all.Revocations = append(all.Revocations, shownPoint(&r))
	}
	answer(w, http.StatusOK, "application/json", all)
}

// An order is the body of a call that asks for something to be done.
type order interface {
	about() (what, why string) // for remit's own log
}

// carryOut reads an order and carries it out to its end, also when its caller has
// gone away.
func carryOut[O order, A any](s *Server, done int, do func(ctx context.Context, o O, actor string) (A, error)) func(http.ResponseWriter, *http.Request, caller) {
	return func(w http.ResponseWriter, request *http.Request, c caller) {
		o, err := read[O](http.MaxBytesReader(w, request.Body, maxBody))
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(request.Context()), patience)
		defer cancel()
		a, err := do(ctx, o, c.name())
		what, why := o.about()
		if s.told(fmt.Sprintf("%s %s by %s: %s", request.URL.Path, what, c.name(), why), err); err != nil {
			refuse(w, statusOf(err), err)
			return
		}
		answer(w, done, "application/json", a)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, pdp.ErrBadOrder):
		return http.StatusBadRequest
	case errors.Is(err, pdp.ErrNoSuchSession), errors.Is(err, pdp.ErrNotRevoked), errors.Is(err, pdp.ErrNoSuchLabel):
		return http.StatusNotFound
	case errors.Is(err, pdp.ErrSessionEnded), errors.Is(err, pdp.ErrNotQuarantined):
		return http.StatusConflict
	default:
		return http.StatusServiceUnavailable
	}
}

func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, "application/problem+json", problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: err.Error()})
}

func answer(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("content-type", contentType)
	w.Header().Set("cache-control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller who has gone is told nothing
}
