package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Verifier proves who calls. It implements [pdp.Verifier]; immutable, safe for
// concurrent use.
type Verifier struct {
	listeners map[string]*listener
	keys      *pdp.Keys
	now       func() time.Time
}

var _ pdp.Verifier = (*Verifier)(nil)

// A listener's way of identifying its callers, made ready.
type listener struct {
	Listener
	keys       *keySet
	algorithms map[string]jwa.SignatureAlgorithm
}

// New returns a verifier. It reads the key sets; a setting that would leave
// something unchecked is an error.
func New(s Settings, keys *pdp.Keys, now func() time.Time) (*Verifier, error) {
	v := &Verifier{listeners: make(map[string]*listener), keys: keys, now: now}
	for name, l := range s.Listeners {
		ready, err := prepare(l)
		if err != nil {
			return nil, fmt.Errorf("identity of listener %s: %w", name, err)
		}
		v.listeners[name] = ready
	}
	return v, nil
}

func prepare(l Listener) (*listener, error) {
	ready := &listener{Listener: l}
	switch {
	case l.JWT != nil && l.EnvoyJWT == nil && !l.None:
		if err := l.JWT.check(); err != nil {
			return nil, err
		}
		if header := l.JWT.Header; header == "" || header != strings.ToLower(header) {
			// It would be found in no request, and everybody be nobody.
			return nil, fmt.Errorf("the token's header is %q; name one, in lower case", header)
		}
		var err error
		if ready.algorithms, err = algorithms(l.JWT.Algorithms); err != nil {
			return nil, err
		}
		ready.keys, err = readKeys(l.JWT.JWKSFile)
		return ready, err
	case l.EnvoyJWT != nil && l.JWT == nil && !l.None:
		if l.EnvoyJWT.PayloadKey == "" {
			return nil, errors.New("the metadata key of the payload is not set")
		}
		return ready, l.EnvoyJWT.check()
	case l.None && l.JWT == nil && l.EnvoyJWT == nil:
		return ready, nil
	default:
		return nil, errors.New("there must be exactly one way of identifying callers")
	}
}

// refuse returns the refusal of a credential: why, for the operator alone.
func refuse(format string, args ...any) *pdp.Refusal {
	return pdp.Refuse(pdp.Unauthenticated, pdp.CodeUnauthenticated, "a valid credential is required", fmt.Sprintf(format, args...))
}

// Verify implements [pdp.Verifier].
func (v *Verifier) Verify(_ context.Context, e *pdp.Envelope) (pdp.Agent, error) {
	l := v.listeners[e.Listener]
	if l == nil {
		return pdp.Agent{}, refuse("listener %q has no way of identifying callers", e.Listener)
	}
	var agent pdp.Agent
	var refusal *pdp.Refusal
	switch {
	case l.JWT != nil:
		agent, refusal = v.byToken(e, l)
	case l.EnvoyJWT != nil:
		agent, refusal = v.byEnvoy(e, l.EnvoyJWT)
	}
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	return agent, nil
}

// byToken verifies the token that the request carries.
func (v *Verifier) byToken(e *pdp.Envelope, l *listener) (pdp.Agent, *pdp.Refusal) {
	token, refusal := presented(e, l.JWT.Header)
	if refusal != nil || token == "" {
		return pdp.Agent{}, refusal
	}
	claims, refusal := l.verify(token, v.now())
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	return v.agent(claims, &l.JWT.Claims, v.keys.Fingerprint("jwt", signed(token)))
}

// extractedOnly reports whether a header line is Envoy's mark of a token whose
// signature it has not verified (extract_only_without_validation). A client may
// have sent a line of the same name before it.
func extractedOnly(h pdp.Header) bool {
	return h.Name == "x-jwt-signature-verified" && h.Value != "true"
}

// metadataNamespace is where Envoy's jwt_authn filter puts what it verified.
const metadataNamespace = "envoy.filters.http.jwt_authn"

// byEnvoy takes the token that Envoy has verified. Envoy's filter can be
// configured to let requests without a good token pass; the payload is there
// only where it verified one (reference: jwt_authn, payload_in_metadata), and
// everything but the signature is checked again here.
func (v *Verifier) byEnvoy(e *pdp.Envelope, s *EnvoyJWT) (pdp.Agent, *pdp.Refusal) {
	metadata := e.Metadata.Get(metadataNamespace)
	claims := metadata.Get(s.PayloadKey)
	if slices.ContainsFunc(e.Headers, extractedOnly) {
		return pdp.Agent{}, refuse("Envoy extracted the token's claims without verifying its signature")
	}
	if !claims.Defined() {
		if _, lines := e.Headers.Get("authorization"); lines > 0 {
			return pdp.Agent{}, refuse("the request carries a token, and Envoy's jwt_authn filter has not verified it")
		}
		return pdp.Agent{}, nil
	}
	if claims.Kind() != value.Map {
		return pdp.Agent{}, refuse("metadata %s.%s is not an object", metadataNamespace, s.PayloadKey)
	}
	if s.HeaderKey != "" {
		header := metadata.Get(s.HeaderKey)
		if header.Kind() != value.Map {
			return pdp.Agent{}, refuse("metadata %s.%s is not an object", metadataNamespace, s.HeaderKey)
		}
		if refusal := s.checkType(header); refusal != nil {
			return pdp.Agent{}, refusal
		}
	}
	if refusal := s.checkClaims(claims, v.now()); refusal != nil {
		return pdp.Agent{}, refusal
	}
	return v.agent(claims, &s.Claims, v.keys.Fingerprint("jwt claims", string(value.AppendJSON(nil, claims))))
}
