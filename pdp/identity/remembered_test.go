package identity_test

import (
	"crypto/x509"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// moving returns a verifier of l whose clock is moved by the test.
func moving(t testing.TB, l identity.Listener) (*identity.Verifier, *atomic.Int64) {
	t.Helper()
	var seconds atomic.Int64
	v, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": l}}, testKeys(t, 1),
		func() time.Time { return now.Add(time.Duration(seconds.Load()) * time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	return v, &seconds
}

func remembers(t testing.TB, v *identity.Verifier, want int) {
	t.Helper()
	if got := identity.Remembered(v, "agents"); got != want {
		t.Errorf("%d tokens are remembered, want %d", got, want)
	}
}

// What a token says is read once, and who presents it again is the same agent.
func TestATokenIsVerifiedOnce(t *testing.T) {
	v := newJWT(t, nil)
	e := bearer(ec().sign(t, nil, claims{"act": actors("bot", "planner"), "scope": "a b", "sid": "one"}))
	first := accepted(t, v, e)
	remembers(t, v, 1)
	if again := accepted(t, v, e); !reflect.DeepEqual(again, first) {
		t.Errorf("first  %+v\nsecond %+v", first, again)
	}
	remembers(t, v, 1)
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), e) }); n > 1 {
		t.Errorf("a remembered token costs %v allocations: it is verified again", n)
	}
}

// Only what was verified to the end is remembered: nobody fills or changes the
// memory with tokens that are not good, or not his.
func TestBadTokensAreNotRemembered(t *testing.T) {
	certificate := authorityOf().issue(t, []string{bot}, nil)
	v := newJWT(t, nil)
	good := ec().sign(t, nil, nil)
	for name, c := range map[string]struct{ token, want string }{
		"signature":          {other().sign(t, nil, nil), "signature"},
		"another signature":  {good[:len(good)-4] + "AAAA", "signature"},
		"expired":            {ec().sign(t, nil, claims{"exp": now.Unix() - 60}), "expired"},
		"audience":           {ec().sign(t, nil, claims{"aud": "https://elsewhere.example.test"}), "audience"},
		"no subject":         {ec().sign(t, nil, claims{"sub": nil}), "no subject"},
		"bound to somebody":  {ec().sign(t, nil, claims{"cnf": claims{"x5t#S256": thumbprint(certificate)}}), "the connection has none"},
		"bound in other way": {ec().sign(t, nil, claims{"cnf": claims{"jkt": "x"}}), `"jkt"`},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				refused(t, v, bearer(c.token), c.want)
			}
			remembers(t, v, 0)
		})
	}
	accepted(t, v, bearer(good))
	remembers(t, v, 1)
	refused(t, v, bearer(good[:len(good)-4]+"AAAA"), "signature")
	refused(t, v, bearer(good+"A"), "signature")
	accepted(t, v, bearer(good))
	remembers(t, v, 1)
}

// A remembered token is held against the clock on every use.
func TestARememberedTokenEnds(t *testing.T) {
	v, clock := moving(t, identity.Listener{JWT: jwtSettings(t)})
	e := bearer(ec().sign(t, nil, claims{"nbf": now.Unix() - 60}))
	accepted(t, v, e)
	clock.Store(-120) // it was set back
	refused(t, v, e, "in the future")
	clock.Store(0)
	accepted(t, v, e)
	clock.Store(600 + 29) // within the skew
	accepted(t, v, e)
	clock.Store(600 + 30)
	refused(t, v, e, "expired")
	remembers(t, v, 0)

	late := bearer(ec().sign(t, nil, claims{"iat": now.Unix() - 600, "nbf": now.Unix() - 10}))
	clock.Store(0)
	accepted(t, v, late)
	clock.Store(-60)
	refused(t, v, late, "not valid for another")
}

// The keys that a remembered token was verified with must be in use, and be
// believed, each time it is used.
func TestARememberedTokenEndsWithItsKey(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", func(j *identity.JWT) {
		j.Fetch.Refresh, j.Fetch.MaxStale = 20*time.Millisecond, time.Hour
	})
	e := bearer(ec().sign(t, nil, nil))
	accepted(t, v.Verifier, e)
	asked := s.asked.Load()
	eventually(t, "the keys are confirmed", func() bool { return s.asked.Load() > asked+2 })
	if n := testing.AllocsPerRun(20, func() { _, _ = v.Verify(t.Context(), e) }); n > 100 {
		t.Errorf("%v allocations: keys that are confirmed are taken for others", n)
	}

	// Another key under the same id.
	s.publishes(t, other().public(t, nil))
	eventually(t, "the other key is in use", func() bool { _, err := v.Verify(t.Context(), e); return err != nil })
	refused(t, v.Verifier, e, "signature")
	remembers(t, v.Verifier, 0)

	// The same key, for another algorithm or for none.
	s.publishes(t, ec().public(t, nil))
	eventually(t, "the key is back", func() bool { _, err := v.Verify(t.Context(), e); return err == nil })
	s.publishes(t, ec().public(t, claims{"use": "enc"}), rs().public(t, nil))
	eventually(t, "the key is for encryption", func() bool { _, err := v.Verify(t.Context(), e); return err != nil })
	refused(t, v.Verifier, e, "its use is not sig")

	// An issuer that is down too long.
	s.publishes(t, ec().public(t, nil))
	eventually(t, "the key is back again", func() bool { _, err := v.Verify(t.Context(), e); return err == nil })
	s.refuses("/keys", 500)
	eventually(t, "the issuer is down", func() bool { return v.issuers.Status()[0].Err != nil })
	v.clock.Store(3700)
	unavailable(t, v.Verifier, e, "more than 1h0m0s")
	v.clock.Store(0)
	accepted(t, v.Verifier, e)
}

// A bound token that was good over one connection is not good over another.
func TestARememberedTokenIsBoundEachTime(t *testing.T) {
	mine, another := authorityOf().issue(t, []string{bot}, nil), authorityOf().issue(t, []string{bot}, nil)
	v := newJWT(t, nil)
	token := "Bearer " + ec().sign(t, nil, claims{"cnf": claims{"x5t#S256": thumbprint(mine)}})
	over := func(c *x509.Certificate) *pdp.Envelope { return from("", c, "authorization", token) }
	for range 2 {
		if agent := accepted(t, v, over(mine)); !agent.Credential.SenderBound {
			t.Error("it does not count as bound")
		}
		remembers(t, v, 1)
		refused(t, v, over(another), "another certificate")
		refused(t, v, over(nil), "the connection has none")
	}
}

// Listeners remember apart: what is good for one may not be for another.
func TestListenersRememberApart(t *testing.T) {
	strict := jwtSettings(t)
	strict.Audience = []string{"https://elsewhere.example.test"}
	v, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: jwtSettings(t)}, "strict": {JWT: strict}}}, testKeys(t, 1), clock)
	if err != nil {
		t.Fatal(err)
	}
	e := bearer(ec().sign(t, nil, nil))
	accepted(t, v, e)
	e.Listener = "strict"
	refused(t, v, e, "audience")
}

// A certificate is read and verified once, and looked at on every use.
func TestARememberedCertificate(t *testing.T) {
	bundle := writeFile(t, pemOf("CERTIFICATE", authorityOf().certificate.Raw))
	v, clock := moving(t, identity.Listener{SPIFFE: &identity.SPIFFE{
		TrustDomains: []string{"prod.acme"}, Bundles: map[string]string{"prod.acme": bundle}, Skew: 30 * time.Second,
	}})
	known := func(want int) {
		t.Helper()
		if got := identity.RememberedPeers(v, "agents"); got != want {
			t.Errorf("%d certificates are remembered, want %d", got, want)
		}
	}
	refused(t, v, from(bot, anotherAuthority().issue(t, []string{bot}, nil)), "no authority")
	refused(t, v, from(bot, authorityOf().issue(t, []string{bot + "2"}, nil)), "the verified name is")
	known(0)
	e := from(bot, authorityOf().issue(t, []string{bot}, func(c *x509.Certificate) { c.NotAfter = now.Add(480 * time.Hour) }))
	first := accepted(t, v, e)
	known(1)
	if again := accepted(t, v, e); !reflect.DeepEqual(again, first) {
		t.Errorf("first  %+v\nsecond %+v", first, again)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), e) }); n > 2 {
		t.Errorf("a remembered certificate costs %v allocations: it is read again", n)
	}
	stolen := *e
	stolen.Source.Principal = bot + "2"
	refused(t, v, &stolen, "the verified name is")

	clock.Store(-3600)
	refused(t, v, e, "not valid for another")
	clock.Store(241 * 3600) // the certificate lives longer than who signed it
	refused(t, v, e, "no authority")
	clock.Store(480*3600 + 30)
	refused(t, v, e, "expired")
	clock.Store(0)
	accepted(t, v, e)
	known(1)
}

// A name that the proxy verified alone is remembered with the name alone.
func TestARememberedName(t *testing.T) {
	v := newSPIFFE(t, func(s *identity.SPIFFE) { s.PrincipalAlone = true })
	certificate := authorityOf().issue(t, []string{bot}, nil)
	alone, both := accepted(t, v, from(bot, nil)), accepted(t, v, from(bot, certificate))
	if alone.Credential.Fingerprint == both.Credential.Fingerprint {
		t.Error("the certificate was not looked at")
	}
	for range 2 {
		if got := accepted(t, v, from(bot, nil)); !reflect.DeepEqual(got, alone) {
			t.Errorf("got %+v, want %+v", got, alone)
		}
		refused(t, v, from(bot+"2", certificate), "the verified name is")
		refused(t, v, from("spiffe://elsewhere/x", nil), "trust domain")
	}
}

// Nothing that a verifier keeps holds a token, or a part that makes one.
func TestNothingHoldsTheToken(t *testing.T) {
	v := newJWT(t, nil)
	token := ec().sign(t, nil, nil)
	accepted(t, v, bearer(token))
	remembers(t, v, 1)
	seen := make(map[uintptr]bool)
	texts := 0
	for text := range textsIn(reflect.ValueOf(v), seen) {
		texts++
		for part := range strings.SplitSeq(token, ".") {
			if strings.Contains(text, part) {
				t.Errorf("a part of the token is kept in %q", text)
			}
		}
	}
	if texts < 10 {
		t.Errorf("%d texts were looked at: the walk is broken", texts)
	}
}

// textsIn yields every string and byte slice that is reached from v.
func textsIn(v reflect.Value, seen map[uintptr]bool) func(yield func(string) bool) {
	return func(yield func(string) bool) { walkTexts(v, seen, yield) }
}

func walkTexts(v reflect.Value, seen map[uintptr]bool, yield func(string) bool) bool {
	switch v.Kind() {
	case reflect.String:
		return yield(v.String())
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return true
		}
		seen[v.Pointer()] = true
		return walkTexts(v.Elem(), seen, yield)
	case reflect.Interface:
		return v.IsNil() || walkTexts(v.Elem(), seen, yield)
	case reflect.Struct:
		for i := range v.NumField() {
			if !walkTexts(v.Field(i), seen, yield) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return yield(string(v.Bytes()))
		}
		for i := range v.Len() {
			if !walkTexts(v.Index(i), seen, yield) {
				return false
			}
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			if !walkTexts(iter.Key(), seen, yield) || !walkTexts(iter.Value(), seen, yield) {
				return false
			}
		}
	}
	return true
}
