package extauthz

import (
	"strconv"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// envelope turns a check into neutral terms. A check without HTTP is one of
// Envoy's network filter, and is about a connection. Where the message is no
// check the envelope says no more than who sent it, and err why.
func (s *Server) envelope(proxy, message string) (e *pdp.Envelope, err error) {
	if e, err = s.read(message); err != nil {
		e = &pdp.Envelope{}
	}
	e.Door, e.Listener, e.Proxy, e.Received = "ext_authz", s.settings.Listener, proxy, s.now()
	e.TrustID = s.settings.TrustID && isStreamID(e.HTTPID)
	e.BodyLossy = e.BodyLossy && !s.settings.BodyIsExact
	e.Headers, e.SessionTokens = e.Headers.Take(s.settings.SessionHeader)
	e.Attributes = value.From(&pluginForm{message: message, headers: e.Headers})
	return e, err
}

// readCheck reads a message off the wire where it is plain, and by the generated
// types where it is not.
func readCheck(message string) (*pdp.Envelope, error) {
	if e, plain := fromWire(message); plain {
		return e, nil
	}
	return fromTypes(message)
}

// isStreamID reports whether an id can be Envoy's own, which is a decimal
// number. agentgateway sends the client's traceparent as the id, repeated with
// every request of a trace: that identifies no question, whatever is configured.
func isStreamID(id string) bool {
	_, err := strconv.ParseUint(id, 10, 64)
	return err == nil
}
