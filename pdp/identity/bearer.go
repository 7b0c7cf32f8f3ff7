package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Bearer verifies the bearer tokens (RFC 6750 section 2.1) of those who call
// remit itself and not through a proxy, in the way that agents' tokens are.
type Bearer struct {
	verifier *Verifier
	listener *listener
}

// NewBearer returns a verifier of tokens. Errors name no key of the configuration:
// the caller knows which one it is.
func NewBearer(jwt *JWT, issuers *Issuers, keys *pdp.Keys, now func() time.Time) (*Bearer, error) {
	ready, err := prepare(Listener{JWT: jwt}, issuers)
	if err != nil {
		return nil, err
	}
	return &Bearer{verifier: &Verifier{keys: keys, now: now}, listener: ready}, nil
}

// Verify returns the claims of the token in the lines of the header that holds it
// ("authorization"), of which there must be one. A token that
// is bound to a certificate (RFC 8705 section 3.1) is good only with that one as
// the connection's, whose key the caller has proved to hold; nil is none. A token
// that somebody acts with for another (act, RFC 8693 section 4.1) is refused: who
// calls here does so in person. Errors are for the log, never for the caller.
func (b *Bearer) Verify(ctx context.Context, lines []string, connection *x509.Certificate) (value.Value, error) {
	e := &pdp.Envelope{}
	for _, line := range lines {
		e.Headers = append(e.Headers, pdp.Header{Name: b.listener.JWT.Header, Value: line})
	}
	if connection != nil {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: connection.Raw})
		e.Source.Certificate = url.PathEscape(string(text)) // as a proxy would say it
	}
	agent, refusal := b.verifier.byToken(ctx, e, b.listener, nil)
	switch {
	case refusal != nil:
		return value.Nothing, refusal
	case !agent.Known():
		return value.Nothing, refuse("the header holds no token")
	case agent.Claims.Get("act").Defined():
		return value.Nothing, refuse("the token is that of %q acting for another", clip(agent.ID))
	}
	return agent.Claims, nil
}
