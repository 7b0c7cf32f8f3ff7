package extauthz

import (
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
// missing identity have an HTTP status of their own: a model can do nothing
// about them.
func (r renderer) denied(d *pdp.Decision) answer {
	own := d.Response.Status != 0 || d.Response.Body != ""
	reply := &d.Reply
	byID := reply.RPCID != "" && r.denyAs != AsHTTP && d.Class != pdp.Unauthenticated
	switch {
	case reply.Binding == pdp.BindingGRPC:
		return grpcAnswer(d)
	case own:
		return byPolicy(d)
	case byID && reply.Protocol == pdp.MCP:
		return r.mcpAnswer(d)
	case byID && reply.Protocol == pdp.A2A:
		return a2aMessage(d)
	case reply.Binding == pdp.BindingHTTP && reply.Protocol == pdp.A2A:
		return a2aStatus(d)
	default:
		return problem(d)
	}
}

// byPolicy answers with the status and body that the policy chose.
func byPolicy(d *pdp.Decision) answer {
	a := answer{status: d.Response.Status, body: d.Response.Body}
	if a.status == 0 {
		a.status = d.Class.HTTPStatus()
	}
	a.headers = ownHeaders(d, pdp.Header{Name: "cache-control", Value: "no-store"})
	return a
}

// problem answers with application/problem+json (RFC 9457).
func problem(d *pdp.Decision) answer {
	a := answer{status: d.Class.HTTPStatus(), body: string(value.AppendJSON(nil, d.Problem()))}
	standard := pdp.Headers{
		{Name: "content-type", Value: "application/problem+json"},
		{Name: "cache-control", Value: "no-store"},
	}
	if seconds := d.RetrySeconds(); seconds > 0 {
		standard = append(standard, pdp.Header{Name: "retry-after", Value: strconv.FormatInt(seconds, 10)})
	}
	if d.Class == pdp.Unauthenticated {
		standard = append(standard, pdp.Header{Name: "www-authenticate", Value: "Bearer"})
	}
	a.headers = ownHeaders(d, standard...)
	return a
}

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
