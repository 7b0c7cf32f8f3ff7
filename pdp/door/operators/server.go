package operators

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

const (
	maxBody = 64 << 10
	// patience is how long an order may take, whether its caller waits or not.
	patience = 20 * time.Second
	// A caller has readTime for the whole call, and as long again as an order may
	// take to be answered.
	readTime  = 5 * time.Second
	writeTime = patience + 2*readTime
)

// Settings are what the door needs.
type Settings struct {
	Revoker pdp.Revoker
	Keeper  pdp.SessionKeeper
	// Sessions shows sessions to viewers.
	Sessions Sessions
	// Network says who may call over TLS; nil is nobody.
	Network *Network
	// Told is told of every order, carried out (nil) or not, for remit's own log.
	Told func(what string, err error)
	// Refused is told why a caller was refused.
	Refused func(from string, err error)
	// Broken takes what is said of connections that come to nothing.
	Broken *log.Logger
}

// Server answers operators.
type Server struct {
	settings Settings
	http     http.Server
}

// NewServer returns the door.
func NewServer(settings Settings) *Server {
	s := &Server{settings: settings}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathRevocations, s.as(Viewer, s.list))
	mux.HandleFunc("POST "+pathRevocations, s.as(Revoker, carryOut(s, http.StatusCreated, revoking(settings.Revoker.Revoke))))
	mux.HandleFunc("POST "+pathLift, s.as(Revoker, carryOut(s, http.StatusOK, revoking(settings.Revoker.Lift))))
	mux.HandleFunc("GET "+strings.TrimSuffix(pathSessions, "/"), s.as(Viewer, s.listSessions))
	mux.HandleFunc("GET "+pathSessions+"{id}", s.as(Viewer, s.showSession))
	for kind, needed := range sessionRoles {
		mux.HandleFunc("POST "+pathSessions+string(kind), s.as(needed, carryOut(s, http.StatusOK, keeping(settings.Keeper, kind))))
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s.http = http.Server{
		// A browser that holds an operator's certificate is no operator: pages of
		// others must not give orders through it.
		Handler:     s.known(http.NewCrossOriginProtection().Handler(mux)),
		ConnContext: withKernel, Protocols: &protocols, ErrorLog: settings.Broken,
		ReadTimeout: readTime, WriteTimeout: writeTime, MaxHeaderBytes: 16 << 10,
	}
	// Every call has a connection of its own, so that whoever makes it is held
	// against the authorities that are in force by then.
	s.http.SetKeepAlivesEnabled(false)
	return s
}

// Serve answers on l until Shutdown. Several listeners may be served at once.
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

// known lets those through who are proved to call, whatever they call for.
func (s *Server) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		c, err := s.whoCalls(request)
		if err != nil {
			s.settings.Refused(request.RemoteAddr, err)
			s.unproved(w, err)
			return
		}
		next.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), callerKey{}, c)))
	})
}

// as lets those through who have a role.
func (s *Server) as(r Role, serve func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		c, _ := request.Context().Value(callerKey{}).(caller) // nobody, where none is known
		if err := c.may(r); err != nil {
			s.settings.Refused(request.RemoteAddr, err)
			refuse(w, http.StatusForbidden, err)
			return
		}
		serve(w, request, c)
	}
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request, _ caller) {
	all := Revocations{Revocations: []Revocation{}}
	for _, r := range s.settings.Revoker.Revocations() {
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
		a, err := do(ctx, o, c.name)
		what, why := o.about()
		if s.settings.Told(fmt.Sprintf("%s %s by %s: %s", request.URL.Path, what, c.name, why), err); err != nil {
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
