package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// An authority signs certificates of workloads.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

var (
	authorityOf      = sync.OnceValue(func() *authority { return newAuthority() })
	anotherAuthority = sync.OnceValue(func() *authority { return newAuthority() })
)

func newAuthority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &authority{certificate, key}
}

// issue returns a workload's certificate, valid for an hour around now.
func (a *authority) issue(t testing.TB, ids []string, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "workload"}, NotBefore: now.Add(-10 * time.Minute), NotAfter: now.Add(50 * time.Minute),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, id := range ids {
		u, err := url.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, u)
	}
	if change != nil {
		change(template)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// encoded is a certificate as Envoy sends it.
func encoded(c *x509.Certificate) string {
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(pemOf("CERTIFICATE", c.Raw))
}

const bot = "spiffe://prod.acme/billing-agent"

// from is a request over a connection whose peer is verified.
func from(principal string, c *x509.Certificate, lines ...string) *pdp.Envelope {
	e := with(lines...)
	e.Source.Principal = principal
	if c != nil {
		e.Source.Certificate = encoded(c)
	}
	return e
}

func newSPIFFE(t testing.TB, change func(*identity.SPIFFE)) *identity.Verifier {
	t.Helper()
	s := &identity.SPIFFE{TrustDomains: []string{"prod.acme", "stage.acme"}, Skew: 30 * time.Second}
	if change != nil {
		change(s)
	}
	return newVerifier(t, identity.Listener{SPIFFE: s})
}

func TestSPIFFE(t *testing.T) {
	v := newSPIFFE(t, nil)
	certificate := authorityOf().issue(t, []string{bot}, nil)
	agent := accepted(t, v, from(bot, certificate))
	if agent.ID != bot || agent.Issuer != "spiffe://prod.acme" || agent.Kind != "spiffe" || agent.TrustDomain != "prod.acme" || agent.Workload != nil {
		t.Errorf("got %+v", agent)
	}
	c := agent.Credential
	if c.Kind != "x509" || !c.SenderBound || !c.ExpiresAt.Equal(now.Add(50*time.Minute)) || !c.IssuedAt.Equal(now.Add(-10*time.Minute)) || len(c.Fingerprint) != 22 {
		t.Errorf("the credential is %+v", c)
	}
	if another := accepted(t, v, from(bot, authorityOf().issue(t, []string{bot}, nil))); another.Credential.Fingerprint == c.Fingerprint {
		t.Error("two certificates have one fingerprint")
	}
	if agent := accepted(t, v, from("", nil)); agent.Known() {
		t.Errorf("got %+v, want nobody", agent)
	}
	// Behind a proxy that sends the name alone.
	alone := newSPIFFE(t, func(s *identity.SPIFFE) { s.PrincipalAlone = true })
	if agent := accepted(t, alone, from(bot, nil)); agent.ID != bot || !agent.Credential.ExpiresAt.IsZero() || agent.Credential.Fingerprint == c.Fingerprint {
		t.Errorf("got %+v", agent)
	}
	refused(t, alone, from(bot, authorityOf().issue(t, []string{"spiffe://prod.acme/other"}, nil)), "verified name")
}

func TestRefusedCertificates(t *testing.T) {
	v := newSPIFFE(t, nil)
	issue := func(ids []string, change func(*x509.Certificate)) *x509.Certificate {
		return authorityOf().issue(t, ids, change)
	}
	one := []string{bot}
	good := issue(one, nil)
	text := func(certificate string) *pdp.Envelope {
		e := from(bot, nil)
		e.Source.Certificate = certificate
		return e
	}
	for name, c := range map[string]struct {
		e    *pdp.Envelope
		want string
	}{
		"another trust domain":     {from("spiffe://evil.example/billing-agent", issue([]string{"spiffe://evil.example/billing-agent"}, nil)), `"evil.example" is not one`},
		"longer trust domain":      {from("spiffe://prod.acme.evil/x", issue([]string{"spiffe://prod.acme.evil/x"}, nil)), "not one of those"},
		"name of another":          {from("spiffe://prod.acme/admin", good), "verified name"},
		"name that is no id":       {from("CN=billing-agent", good), "not the SPIFFE id"},
		"name of a host":           {from("billing.prod.acme", issue(nil, func(c *x509.Certificate) { c.DNSNames = []string{"billing.prod.acme"} })), "not the SPIFFE id"},
		"no name":                  {from("", good), "not the SPIFFE id"},
		"trust domain alone":       {from("spiffe://prod.acme", issue([]string{"spiffe://prod.acme"}, nil)), "not the SPIFFE id"},
		"upper case":               {from("SPIFFE://prod.acme/billing-agent", issue([]string{"SPIFFE://prod.acme/billing-agent"}, nil)), "not the SPIFFE id"},
		"coded path":               {from("spiffe://prod.acme/%62illing", nil), "not the SPIFFE id"},
		"dots in the path":         {from("spiffe://prod.acme/a/../admin", nil), "not the SPIFFE id"},
		"query":                    {from(bot+"?x=1", nil), "not the SPIFFE id"},
		"no certificate":           {from(bot, nil), "include_peer_certificate"},
		"two ids":                  {from(bot, issue([]string{bot, "spiffe://prod.acme/admin"}, nil)), "no X509-SVID"},
		"id and another address":   {from(bot, issue([]string{bot, "https://prod.acme/"}, nil)), "no X509-SVID"},
		"no id":                    {from(bot, issue(nil, nil)), "no X509-SVID"},
		"an authority":             {from(bot, issue(one, func(c *x509.Certificate) { c.IsCA = true })), "an authority's"},
		"may sign certificates":    {from(bot, issue(one, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign; c.IsCA = true })), "an authority's"},
		"may sign revocations":     {from(bot, issue(one, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign })), "an authority's"},
		"expired":                  {from(bot, issue(one, func(c *x509.Certificate) { c.NotAfter = now.Add(-31 * time.Second) })), "expired"},
		"not valid yet":            {from(bot, issue(one, func(c *x509.Certificate) { c.NotBefore = now.Add(31 * time.Second) })), "not valid"},
		"certificate not PEM":      {text("x"), "PEM"},
		"certificate not coded":    {text("%zz"), "URL-encoded"},
		"two certificates":         {text(encoded(good) + encoded(good)), "one certificate"},
		"something in front":       {text("x" + encoded(good)), "one certificate"},
		"another PEM":              {text(url.PathEscape(pemOf("PUBLIC KEY", good.Raw))), "one certificate"},
		"PEM with a header":        {text(url.PathEscape(strings.Replace(pemOf("CERTIFICATE", good.Raw), "-----\n", "-----\nProc-Type: x\n\n", 1))), "one certificate"},
		"certificate cut":          {text(url.PathEscape(pemOf("CERTIFICATE", good.Raw[:100]))), "not an X.509"},
		"certificate and trailing": {text(url.PathEscape(pemOf("CERTIFICATE", append(good.Raw[:len(good.Raw):len(good.Raw)], 0)))), "not an X.509"},
		"too long":                 {text(strings.Repeat("a", 64<<10+1)), "longer than"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, c.e, c.want) })
	}
	for name, change := range map[string]func(*x509.Certificate){
		"expired within the skew": func(c *x509.Certificate) { c.NotAfter = now.Add(-29 * time.Second) },
		"a little early":          func(c *x509.Certificate) { c.NotBefore = now.Add(29 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) { accepted(t, v, from(bot, issue(one, change))) })
	}
}

// With the authorities of a domain remit does not take the proxy's word.
func TestTrustBundles(t *testing.T) {
	bundle := writeFile(t, pemOf("CERTIFICATE", authorityOf().certificate.Raw))
	v := newSPIFFE(t, func(s *identity.SPIFFE) { s.Bundles = map[string]string{"prod.acme": bundle} })
	accepted(t, v, from(bot, authorityOf().issue(t, []string{bot}, nil)))
	accepted(t, v, from(bot, authorityOf().issue(t, []string{bot}, func(c *x509.Certificate) { c.NotAfter = now.Add(-29 * time.Second) })))
	refused(t, v, from(bot, anotherAuthority().issue(t, []string{bot}, nil)), "no authority")
	stage := "spiffe://stage.acme/bot"
	accepted(t, v, from(stage, anotherAuthority().issue(t, []string{stage}, nil)))
}

func TestRefusedSPIFFESettings(t *testing.T) {
	bundle := writeFile(t, pemOf("CERTIFICATE", authorityOf().certificate.Raw))
	for name, c := range map[string]struct {
		l    identity.Listener
		want string
	}{
		"no trust domain":      {identity.Listener{SPIFFE: &identity.SPIFFE{}}, "trust_domains"},
		"odd trust domain":     {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"Prod.Acme"}}}, "Prod.Acme"},
		"bundle of another":    {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"a"}, Bundles: map[string]string{"b": bundle}}}, `"b" is not one`},
		"bundle not there":     {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"a"}, Bundles: map[string]string{"a": "/nowhere"}}}, "trust_bundles.a"},
		"bundle empty":         {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"a"}, Bundles: map[string]string{"a": writeFile(t, "")}}}, "trust_bundles.a"},
		"nothing to verify":    {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"a"}, Bundles: map[string]string{"a": bundle}, PrincipalAlone: true}}, "certificate: required"},
		"two ways by peer":     {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"a"}}, XFCC: &identity.XFCC{TrustDomains: []string{"a"}}}, "exactly one way"},
		"peer and none":        {identity.Listener{SPIFFE: &identity.SPIFFE{TrustDomains: []string{"a"}}, None: true}, "exactly one way"},
		"header, no domain":    {identity.Listener{XFCC: &identity.XFCC{}}, "trust_domains"},
		"header, proxy no id":  {identity.Listener{XFCC: &identity.XFCC{TrustDomains: []string{"a"}, Proxies: []string{"gateway"}}}, `"gateway"`},
		"token of a bad peer":  {identity.Listener{JWT: jwtSettings(t), XFCC: &identity.XFCC{}}, "trust_domains"},
		"both kinds of tokens": {identity.Listener{JWT: jwtSettings(t), EnvoyJWT: &identity.EnvoyJWT{Claims: claimSettings(), PayloadKey: "p"}}, "exactly one way"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := newWith(t, c.l); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}

func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func hash(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// A token that is bound to its sender is good for nobody else.
func TestBoundTokens(t *testing.T) {
	mine, another := authorityOf().issue(t, []string{bot}, nil), authorityOf().issue(t, []string{bot}, nil)
	byToken := newJWT(t, nil)
	byEnvoy := newEnvoy(t, nil)
	strict := newJWT(t, func(s *identity.JWT) { s.RequireBound = true })
	token := func(cnf any) string { return ec().sign(t, nil, claims{"cnf": cnf}) }
	over := func(c *x509.Certificate, token string) *pdp.Envelope {
		return from("", c, "authorization", "Bearer "+token)
	}
	bound := claims{"x5t#S256": thumbprint(mine)}
	for _, v := range []*identity.Verifier{byToken, strict} {
		if agent := accepted(t, v, over(mine, token(bound))); !agent.Credential.SenderBound || agent.Credential.Kind != "jwt" {
			t.Errorf("got %+v", agent.Credential)
		}
	}
	e := verified(t, claims{"cnf": bound})
	e.Source.Certificate = encoded(mine)
	if agent := accepted(t, byEnvoy, e); !agent.Credential.SenderBound {
		t.Errorf("got %+v", agent.Credential)
	}
	e.Source.Certificate = encoded(another)
	refused(t, byEnvoy, e, "another certificate")
	if agent := accepted(t, byToken, over(mine, ec().sign(t, nil, nil))); agent.Credential.SenderBound {
		t.Error("a bearer token counts as bound")
	}
	refused(t, strict, over(mine, ec().sign(t, nil, nil)), "not bound to its sender")

	for name, c := range map[string]struct {
		e    *pdp.Envelope
		want string
	}{
		"another certificate":     {over(another, token(bound)), "another certificate"},
		"no certificate":          {over(nil, token(bound)), "the connection has none"},
		"certificate in a header": {from("", nil, "authorization", "Bearer "+token(bound), "x-forwarded-client-cert", "Hash="+hash(mine)+";Cert="+encoded(mine)), "the connection has none"},
		"certificate unreadable":  {&pdp.Envelope{Listener: "agents", Headers: over(nil, token(bound)).Headers, Source: pdp.Peer{Certificate: "x"}}, "cannot be read"},
		"bound by DPoP":           {over(mine, token(claims{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})), `"jkt"`},
		"bound by both":           {over(mine, token(claims{"x5t#S256": thumbprint(mine), "jkt": "x"})), `"jkt"`},
		"bound by a key":          {over(mine, token(claims{"jwk": claims{"kty": "EC"}})), `"jwk"`},
		"bound by a thing unborn": {over(mine, token(claims{"x5t#S512": "x"})), `"x5t#S512"`},
		"bound by nothing":        {over(mine, token(claims{})), "nothing to verify"},
		"cnf a string":            {over(mine, token("x5t#S256")), "nothing to verify"},
		"cnf a list":              {over(mine, token([]any{bound})), "nothing to verify"},
		"thumbprint a number":     {over(mine, token(claims{"x5t#S256": 7})), "not a SHA-256"},
		"thumbprint in hex":       {over(mine, token(claims{"x5t#S256": hash(mine)})), "not a SHA-256"},
		"thumbprint cut":          {over(mine, token(claims{"x5t#S256": thumbprint(mine)[:40]})), "not a SHA-256"},
		"thumbprint empty":        {over(mine, token(claims{"x5t#S256": ""})), "not a SHA-256"},
		"thumbprint of SHA-1 too": {over(mine, token(claims{"x5t": "x", "x5t#S256": thumbprint(mine)})), `"x5t"`},
	} {
		t.Run(name, func(t *testing.T) { refused(t, byToken, c.e, c.want) })
	}
}

// With both ways the token says who the agent is, the certificate which
// workload presents it, and one without the other is nothing.
func TestTokenAndCertificate(t *testing.T) {
	certificate := authorityOf().issue(t, []string{bot}, nil)
	v := newVerifier(t, identity.Listener{JWT: jwtSettings(t), SPIFFE: &identity.SPIFFE{TrustDomains: []string{"prod.acme"}}})
	token := "Bearer " + ec().sign(t, nil, claims{"act": actors("bot"), "cnf": claims{"x5t#S256": thumbprint(certificate)}})
	agent := accepted(t, v, from(bot, certificate, "authorization", token))
	w := agent.Workload
	if agent.ID != "bot" || agent.Kind != "jwt" || agent.TrustDomain != "" || w == nil || w.ID != bot || w.TrustDomain != "prod.acme" {
		t.Fatalf("got %+v with %+v", agent, w)
	}
	if w.Credential.Kind != "x509" || w.Credential.Fingerprint == agent.Credential.Fingerprint || !w.Credential.ExpiresAt.Equal(now.Add(50*time.Minute)) {
		t.Errorf("the workload's credential is %+v", w.Credential)
	}
	if agent := accepted(t, v, with()); agent.Known() {
		t.Errorf("got %+v, want nobody", agent)
	}
	plain := "Bearer " + ec().sign(t, nil, nil)
	refused(t, v, with("authorization", plain), "requires both")
	refused(t, v, from(bot, certificate), "requires both")
	refused(t, v, from("spiffe://stage.acme/x", certificate, "authorization", plain), "trust domain")
	refused(t, v, from(bot, certificate, "authorization", plain+"x"), "signature")
}
