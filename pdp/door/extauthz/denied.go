package extauthz

import (
	"math"
	"net/http"
	"strconv"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// answer is what the caller of a denied request gets.
type answer struct {
	status  int
	headers pdp.Headers
	body    string
}

// denied answers in the caller's own language (DESIGN 5.7). An outage and a
// missing identity are HTTP's to tell: a model can do nothing about them.
func (r renderer) denied(d *pdp.Decision) answer {
	own := d.Response.Status != 0 || d.Response.Body != ""
	mcp := d.Reply.Protocol == pdp.MCP && d.Reply.RPCID != "" && r.denyAs != AsHTTP
	switch {
	case own:
		return byPolicy(d)
	case mcp && d.Class != pdp.Unavailable && d.Class != pdp.Unauthenticated:
		return r.mcpAnswer(d)
	default:
		return problem(d)
	}
}

// statuses are the HTTP statuses of the classes.
var statuses = map[pdp.Class]int{
	pdp.OutOfScope:      http.StatusForbidden,
	pdp.NeedsApproval:   http.StatusForbidden,
	pdp.Revoked:         http.StatusForbidden,
	pdp.BudgetSpent:     http.StatusTooManyRequests,
	pdp.Pending:         http.StatusTooManyRequests,
	pdp.Unauthenticated: http.StatusUnauthorized,
	pdp.Unreadable:      http.StatusBadRequest,
	pdp.Unavailable:     http.StatusServiceUnavailable,
}

// status of a class; one that is not known is an outage, like every mistake
// of the decision point's own.
func status(c pdp.Class) int {
	if s := statuses[c]; s != 0 {
		return s
	}
	return http.StatusServiceUnavailable
}

// remedies say what would make an action allowed.
var remedies = map[pdp.Class]string{
	pdp.OutOfScope:      "do something else: this is not part of what this session may do",
	pdp.NeedsApproval:   "a person must approve this action first",
	pdp.Revoked:         "ask the person you act for: this session may do nothing more",
	pdp.BudgetSpent:     "do without: the limit is reached",
	pdp.Pending:         "wait for what is under way, then try again",
	pdp.Unauthenticated: "present a valid credential",
	pdp.Unreadable:      "send the request in plain, standard form",
	pdp.Unavailable:     "try again later: no decision could be made",
}

// byPolicy answers with the status and body that the policy chose.
func byPolicy(d *pdp.Decision) answer {
	a := answer{status: d.Response.Status, body: d.Response.Body}
	if a.status == 0 {
		a.status = status(d.Class)
	}
	a.headers = ownHeaders(d, pdp.Header{Name: "cache-control", Value: "no-store"})
	return a
}

// problem answers with application/problem+json (RFC 9457).
func problem(d *pdp.Decision) answer {
	a := answer{status: status(d.Class)}
	members := append([]value.Member{
		value.M("type", value.Str("about:blank")),
		value.M("title", value.Str(http.StatusText(a.status))),
		value.M("status", value.Int(int64(a.status))),
		value.M("detail", value.Str(remedies[d.Class])),
	}, explanation(d)...)
	a.body = string(value.AppendJSON(nil, value.Obj(members...)))
	standard := pdp.Headers{
		{Name: "content-type", Value: "application/problem+json"},
		{Name: "cache-control", Value: "no-store"},
	}
	if seconds := retrySeconds(d); seconds > 0 {
		standard = append(standard, pdp.Header{Name: "retry-after", Value: strconv.FormatInt(seconds, 10)})
	}
	if d.Class == pdp.Unauthenticated {
		standard = append(standard, pdp.Header{Name: "www-authenticate", Value: "Bearer"})
	}
	a.headers = ownHeaders(d, standard...)
	return a
}

// explanation is the machine-readable part of a denial, the same in every
// language. What helps to find out what exists is not in it.
func explanation(d *pdp.Decision) []value.Member {
	reasons := make([]value.Value, len(d.Reasons))
	for i, reason := range d.Reasons {
		reasons[i] = value.Obj(value.M("code", value.Str(reason.Code)), value.M("message", value.OptStr(reason.Message)))
	}
	seconds := retrySeconds(d)
	members := []value.Member{
		value.M("class", value.Str(string(d.Class))),
		value.M("reasons", value.List(reasons...)),
		value.M("decision_id", value.OptStr(d.ID)),
		value.M("retryable", value.Of(seconds > 0 || d.Class == pdp.Pending || d.Class == pdp.Unavailable)),
	}
	if seconds > 0 {
		members = append(members, value.M("retry_after_seconds", value.Int(seconds)))
	}
	return members
}

// retrySeconds rounds up: never earlier than it helps.
func retrySeconds(d *pdp.Decision) int64 { return int64(math.Ceil(d.Retry.Seconds())) }

// ownHeaders are the policy's headers, and those of standard that it did not
// set itself.
func ownHeaders(d *pdp.Decision, standard ...pdp.Header) pdp.Headers {
	headers := d.Response.Headers[:len(d.Response.Headers):len(d.Response.Headers)]
	for _, h := range standard {
		if _, lines := d.Response.Headers.Get(h.Name); lines == 0 {
			headers = append(headers, h)
		}
	}
	return headers
}
