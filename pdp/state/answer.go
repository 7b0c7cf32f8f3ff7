package state

import (
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// maxAnswer bounds the answer that is kept for a repeated check.
const maxAnswer = 4 << 10

// encodeAnswer encodes a decision as it was answered; "" where it is too long
// to be kept.
func encodeAnswer(d *pdp.Decision) string {
	b := encode(nil, d, codeAnswer)
	if len(b) > maxAnswer {
		return ""
	}
	return string(b)
}

func decodeAnswer(s string) (*pdp.Decision, error) { return decode([]byte(s), codeAnswer) }

func codeAnswer(c *coder, d *pdp.Decision) {
	text(c, &d.ID)
	number(c, &d.Effect)
	text(c, &d.Class)
	list(c, &d.Reasons, codeReason)
	retry := int64(d.Retry)
	c.int(&retry)
	d.Retry = time.Duration(retry)
	codeResponse(c, &d.Response)
	codeValue(c, &d.Metadata)
	text(c, &d.Session)
	text(c, &d.Generation)
	c.raw(d.Digest[:])
}

func codeResponse(c *coder, r *pdp.Response) {
	number(c, &r.Status)
	text(c, &r.Body)
	for _, headers := range []*pdp.Headers{&r.Headers, &r.ResponseHeaders, &r.SetQuery} {
		list(c, (*[]pdp.Header)(headers), func(c *coder, h *pdp.Header) {
			text(c, &h.Name)
			text(c, &h.Value)
		})
	}
	list(c, &r.RemoveHeaders, text[string])
	list(c, &r.RemoveQuery, text[string])
}

// codeValue codes a value as its JSON text; undefined as no text.
func codeValue(c *coder, v *value.Value) {
	var json string
	if !c.reading && v.Defined() {
		json = string(value.AppendJSON(nil, *v))
	}
	text(c, &json)
	if !c.reading || json == "" {
		return
	}
	parsed, err := value.DecodeJSON([]byte(json))
	if err != nil {
		c.fail()
	}
	*v = parsed
}
