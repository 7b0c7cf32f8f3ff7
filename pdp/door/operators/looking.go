package operators

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Sessions shows sessions as an operator sees them, each as JSON.
type Sessions interface {
	// Session returns one; the error wraps pdp.ErrNoSuchSession where there is none.
	Session(ctx context.Context, id string) (json.RawMessage, error)
	// Sessions visits all of them, open or not, until visit returns an error, which
	// is returned.
	Sessions(ctx context.Context, visit func(json.RawMessage) error) error
}

// maxListed bounds the list of sessions in one answer.
const maxListed = 10_000

// SessionList is the sessions that are remembered, in no order.
type SessionList struct {
	Sessions []json.RawMessage `json:"sessions"`
	// Truncated says that there are more.
	Truncated bool `json:"truncated,omitempty"`
}

// showSession answers with one session.
func (s *Server) showSession(w http.ResponseWriter, request *http.Request, _ caller) {
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	shown, err := s.settings.Sessions.Session(ctx, request.PathValue("id"))
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	answer(w, http.StatusOK, "application/json", shown)
}

// listSessions answers with all of them, or as many as fit.
func (s *Server) listSessions(w http.ResponseWriter, request *http.Request, _ caller) {
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	list, full := SessionList{Sessions: []json.RawMessage{}}, errors.New("the list is full")
	err := s.settings.Sessions.Sessions(ctx, func(shown json.RawMessage) error {
		if len(list.Sessions) == maxListed {
			return full
		}
		list.Sessions = append(list.Sessions, shown)
		return nil
	})
	if list.Truncated = errors.Is(err, full); err != nil && !list.Truncated {
		refuse(w, statusOf(err), err)
		return
	}
	answer(w, http.StatusOK, "application/json", list)
}
