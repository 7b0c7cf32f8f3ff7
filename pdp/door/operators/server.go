package operators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
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

// NewServer returns the door to revoker. told is told of every order, carried
// out (nil) or not, for remit's own log.
func NewServer(revoker pdp.Revoker, told func(what string, err error)) *Server {
	s := &Server{revoker: revoker, told: told}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathRevocations, s.as(mayView, s.list))
	mux.HandleFunc("POST "+pathRevocations, s.as(mayRevoke, s.order(http.StatusCreated, revoker.Revoke)))
	mux.HandleFunc("POST "+pathLift, s.as(mayRevoke, s.order(http.StatusOK, revoker.Lift)))
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

// order carries out an order to its end, also when its caller has gone away.
func (s *Server) order(done int, carryOut func(context.Context, pdp.RevocationOrder) (pdp.Acknowledgement, error)) func(http.ResponseWriter, *http.Request, caller) {
	return func(w http.ResponseWriter, request *http.Request, c caller) {
		o, err := readOrder(http.MaxBytesReader(w, request.Body, maxBody))
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		what := fmt.Sprintf("%s %s %s by %s: %s", request.URL.Path, o.Kind, o.Subject, c.name(), o.Reason)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(request.Context()), patience)
		defer cancel()
		a, err := carryOut(ctx, pdp.RevocationOrder{
			Kind: pdp.RevocationKind(o.Kind), Subject: o.Subject, Issuer: o.Issuer, Reason: o.Reason, Actor: c.name(),
			For: time.Duration(o.ForSeconds) * time.Second,
		})
		if s.told(what, err); err != nil {
			refuse(w, statusOf(err), err)
			return
		}
		answer(w, done, "application/json", shownAcknowledgement(&a))
	}
}

// maxFor is the longest that a revocation can last which ends by itself.
const maxFor = 10 * 365 * 24 * time.Hour

// readOrder reads an order strictly: an operator's mistake must not revoke
// something else, or for another time.
func readOrder(body io.Reader) (o Order, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return o, err
	}
	// Members that come twice are refused here, those that are unknown below.
	parsed, err := value.ParseJSON(text)
	if err != nil {
		return o, fmt.Errorf("the order is not JSON: %w", err)
	}
	if value.HasCaseCollision(parsed) {
		return o, errors.New("the order has members that differ only in case")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return o, fmt.Errorf("the order cannot be read: %w", err)
	}
	if o.ForSeconds < 0 || o.ForSeconds > int64(maxFor/time.Second) {
		return o, fmt.Errorf("for_seconds: %d is not between 0 and %d", o.ForSeconds, int64(maxFor/time.Second))
	}
	return o, nil
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, pdp.ErrBadOrder):
		return http.StatusBadRequest
	case errors.Is(err, pdp.ErrNoSuchSession), errors.Is(err, pdp.ErrNotRevoked):
		return http.StatusNotFound
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
