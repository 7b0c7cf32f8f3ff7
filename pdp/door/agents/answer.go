package agents

import (
	"net/http"
	"strconv"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// reply is an answer on its way out. Nothing that this door says may be cached:
// it depends on history, and may hold a secret.
type reply struct {
	status int
	body   value.Value
	// denial is set where the body is its problem.
	denial *pdp.Decision
}

func (r reply) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("cache-control", "no-store")
	h.Set("content-type", "application/json")
	if r.denial != nil {
		h.Set("content-type", "application/problem+json")
		if seconds := r.denial.RetrySeconds(); seconds > 0 {
			h.Set("retry-after", strconv.FormatInt(seconds, 10))
		}
		if r.denial.Class == pdp.Unauthenticated {
			h.Set("www-authenticate", "Bearer")
		}
	}
	w.WriteHeader(r.status)
	w.Write(value.AppendJSON(nil, r.body)) // an agent that has gone needs no answer
}

// denied is a decision that is not an allow, or that was not recorded.
func denied(d *pdp.Decision) reply {
	if d.Effect == pdp.Allow {
		d = &pdp.Decision{Class: pdp.Unavailable, Reasons: []pdp.Reason{{Code: pdp.CodeInternal}}}
	}
	return reply{d.Class.HTTPStatus(), d.Problem(), d}
}

// unreadable answers a request that is not what README.md describes: the
// message names the member.
func unreadable(err error) reply {
	return denied(&pdp.Decision{Class: pdp.Unreadable, Reasons: []pdp.Reason{{Code: pdp.CodeUnreadable, Message: err.Error()}}})
}

func unable(message string) reply {
	return denied(&pdp.Decision{Class: pdp.Unavailable, Reasons: []pdp.Reason{{Code: pdp.CodeInternal, Message: message}}})
}
