package state

import (
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// maxAnswer bounds the answer that is kept for a repeated check, in bytes of
// text.
const maxAnswer = 4 << 10

// Answer is what was answered to a check, besides what its flight says.
type Answer struct {
	Class      pdp.Class
	Reasons    []pdp.Reason
	Retry      int64 // nanoseconds
	Response   pdp.Response
	Metadata   string // JSON; "" where there is none
	Generation string
}

// newAnswer returns what is kept of an allow's answer; nil where it is too long
// to be kept.
func newAnswer(d *pdp.Decision) *Answer {
	a := &Answer{Class: d.Class, Reasons: d.Reasons, Retry: int64(d.Retry), Response: d.Response, Generation: d.Generation}
	if d.Metadata.Defined() {
		a.Metadata = string(value.AppendJSON(nil, d.Metadata))
	}
	if a.length() > maxAnswer {
		return nil
	}
	return a
}

func (a *Answer) length() int {
	n := len(a.Metadata) + len(a.Response.Body)
	for i := range a.Reasons {
		r := &a.Reasons[i]
		n += len(r.Code) + len(r.Message)
		for _, control := range r.Controls {
			n += len(control)
		}
	}
	for _, headers := range []pdp.Headers{a.Response.Headers, a.Response.ResponseHeaders, a.Response.SetQuery} {
		for _, h := range headers {
			n += len(h.Name) + len(h.Value)
		}
	}
	for _, names := range [][]string{a.Response.RemoveHeaders, a.Response.RemoveQuery} {
		for _, name := range names {
			n += len(name)
		}
	}
	return n
}

// decision returns the allow that was answered.
func (f *InFlight) decision(id string) (*pdp.Decision, error) {
	a := f.Answer
	d := &pdp.Decision{
		ID: id, Effect: f.Action.Effect, Class: a.Class, Reasons: a.Reasons, Retry: time.Duration(a.Retry), Response: a.Response,
		Session: f.Session, Generation: a.Generation, Digest: f.Digest,
	}
	if a.Metadata == "" {
		return d, nil
	}
	var err error
	d.Metadata, err = value.DecodeJSON([]byte(a.Metadata))
	return d, err
}

func codeAnswer(c *coder, a *Answer) {
	word(c, &a.Class)
	list(c, &a.Reasons, codeReason)
	c.int(&a.Retry)
	codeResponse(c, &a.Response)
	text(c, &a.Metadata)
	word(c, &a.Generation)
}

func codeResponse(c *coder, r *pdp.Response) {
	number(c, &r.Status)
	text(c, &r.Body)
	list(c, (*[]pdp.Header)(&r.Headers), codeHeader)
	list(c, (*[]pdp.Header)(&r.ResponseHeaders), codeHeader)
	list(c, (*[]pdp.Header)(&r.SetQuery), codeHeader)
	list(c, &r.RemoveHeaders, word[string])
	list(c, &r.RemoveQuery, word[string])
}

func codeHeader(c *coder, h *pdp.Header) {
	word(c, &h.Name)
	word(c, &h.Value)
}
