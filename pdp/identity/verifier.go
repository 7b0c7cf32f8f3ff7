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

// Verifier proves who calls. It implements [pdp.Verifier]. All that changes in
// it is which good credentials it knows again; safe for concurrent use.
type Verifier struct {
	listeners map[string]*listener
	keys      *pdp.Keys
	now       func() time.Time
}

var _ pdp.Verifier = (*Verifier)(nil)

// A listener's way of identifying its callers, made ready.
type listener struct {
	Listener
	keys       keySource
	algorithms map[string]jwa.SignatureAlgorithm
	tokens     *cache[*token] // those that were verified
	// peers reads the certificate of the connection; nil where it does not
	// count.
	peers peerSource
}

// A peerSource finds who is at the other end of a connection, nil for nobody.
type peerSource interface {
	peer(*pdp.Envelope, time.Time) (*peer, *pdp.Refusal)
}

// New returns a verifier. It reads the key sets in files; a setting that would
// leave something unchecked is an error.
func New(s Settings, keys *pdp.Keys, now func() time.Time) (*Verifier, error) {
	v := &Verifier{listeners: make(map[string]*listener), keys: keys, now: now}
	for name, l := range s.Listeners {
		ready, err := prepare(l, s.Issuers)
		if err != nil {
			return nil, fmt.Errorf("listeners.%s.identity: %w", name, err)
		}
		v.listeners[name] = ready
	}
	return v, nil
}

func prepare(l Listener, issuers *Issuers) (ready *listener, err error) {
	ready = &listener{Listener: l}
	if err := l.check(); err != nil {
		return nil, err
	}
	switch {
	case l.JWT != nil:
		err = ready.prepareJWT(issuers)
	case l.EnvoyJWT != nil && l.EnvoyJWT.PayloadKey == "":
		err = errors.New("the metadata key of the payload is not set")
	case l.EnvoyJWT != nil:
		err = l.EnvoyJWT.check()
	}
	if err != nil {
		return nil, err
	}
	switch {
	case l.SPIFFE != nil:
		ready.peers, err = newSPIFFE(l.SPIFFE)
	case l.XFCC != nil:
		ready.peers, err = newXFCC(l.XFCC)
	}
	return ready, err
}

func (l *listener) prepareJWT(issuers *Issuers) (err error) {
	if err := l.JWT.check(); err != nil {
		return err
	}
	if header := l.JWT.Header; header == "" || header != strings.ToLower(header) {
		// It would be found in no request, and everybody be nobody.
		return fmt.Errorf("the token's header is %q; name one, in lower case", header)
	}
	if l.algorithms, err = algorithms(l.JWT.Algorithms); err != nil {
		return err
	}
	l.tokens = newCache[*token]()
	switch fetch := l.JWT.Fetch; {
	case (fetch == nil) == (l.JWT.JWKSFile == ""):
		return errors.New("the keys must come either from a file or from the issuer")
	case fetch == nil:
		l.keys, err = readKeys(l.JWT.JWKSFile, l.algorithms)
	case issuers == nil:
		return errors.New("the issuer's keys are to be fetched, and nothing fetches them")
	default:
		l.keys, err = issuers.get(l.JWT.Issuer, fetch, l.algorithms)
	}
	return err
}

// refuse returns the refusal of a credential: why, for the operator alone.
func refuse(format string, args ...any) *pdp.Refusal {
	return pdp.Refuse(pdp.Unauthenticated, pdp.CodeUnauthenticated, "a valid credential is required", fmt.Sprintf(format, args...))
}

// Verify implements [pdp.Verifier].
func (v *Verifier) Verify(ctx context.Context, e *pdp.Envelope) (pdp.Agent, error) {
	l := v.listeners[e.Listener]
	if l == nil {
		return pdp.Agent{}, refuse("listener %q has no way of identifying callers", e.Listener)
	}
	agent, refusal := v.identify(ctx, e, l)
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	return agent, nil
}

func (v *Verifier) identify(ctx context.Context, e *pdp.Envelope, l *listener) (agent pdp.Agent, refusal *pdp.Refusal) {
	var p *peer
	if l.peers != nil {
		if p, refusal = l.peers.peer(e, v.now()); refusal != nil {
			return pdp.Agent{}, refusal
		}
	}
	switch {
	case l.JWT != nil:
		agent, refusal = v.byToken(ctx, e, l, p)
	case l.EnvoyJWT != nil:
		agent, refusal = v.byEnvoy(e, l.EnvoyJWT, p)
	case p != nil:
		return p.agent(v.keys), nil
	}
	if refusal != nil || l.peers == nil {
		return agent, refusal
	}
	return v.both(agent, p)
}

// both joins the agent that a token names with the workload that presents it.
// One without the other is half of what the listener requires.
func (v *Verifier) both(agent pdp.Agent, p *peer) (pdp.Agent, *pdp.Refusal) {
	switch {
	case p == nil && !agent.Known():
		return pdp.Agent{}, nil
	case p == nil:
		return pdp.Agent{}, refuse("the token is good, and the connection has no verified certificate: this listener requires both")
	case !agent.Known():
		return pdp.Agent{}, refuse("the certificate is good, and there is no token: this listener requires both")
	}
	agent.Workload = p.workload(v.keys)
	return agent, nil
}

// byToken verifies the token that the request carries, or knows it again.
func (v *Verifier) byToken(ctx context.Context, e *pdp.Envelope, l *listener, p *peer) (pdp.Agent, *pdp.Refusal) {
	text, refusal := presented(e, l.JWT.Header)
	if refusal != nil || text == "" {
		return pdp.Agent{}, refusal
	}
	now, key := v.now(), l.tokens.key(text)
	t, refusal := l.recall(ctx, key, now)
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	if t != nil {
		return v.holder(t, &l.JWT.Claims, e, p)
	}
	if t, refusal = l.verify(ctx, text, now); refusal != nil {
		return pdp.Agent{}, refusal
	}
	t.fingerprint = v.keys.Fingerprint("jwt", signed(text))
	agent, refusal := v.holder(t, &l.JWT.Claims, e, p)
	if refusal == nil {
		l.remember(key, t, now)
	}
	return agent, refusal
}

// holder is the agent of a verified token, if whoever presents it may.
func (v *Verifier) holder(t *token, c *Claims, e *pdp.Envelope, p *peer) (pdp.Agent, *pdp.Refusal) {
	bound, refusal := v.bound(t.cnf, c.RequireBound, e, p)
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	if !t.agent.Known() {
		if t.agent, refusal = v.agent(t.claims, c, t.fingerprint); refusal != nil {
			return pdp.Agent{}, refusal
		}
	}
	agent := t.agent
	agent.Credential.SenderBound = bound
	return agent, nil
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
func (v *Verifier) byEnvoy(e *pdp.Envelope, s *EnvoyJWT, p *peer) (pdp.Agent, *pdp.Refusal) {
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
	if _, refusal := s.checkClaims(claims, v.now()); refusal != nil {
		return pdp.Agent{}, refusal
	}
	t := &token{claims: claims, cnf: claims.Get("cnf"), fingerprint: v.keys.Fingerprint("jwt claims", string(value.AppendJSON(nil, claims)))}
	return v.holder(t, &s.Claims, e, p)
}
