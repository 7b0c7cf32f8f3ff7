package identity_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

const gateway = "spiffe://prod.acme/gateway"

func newXFCC(t testing.TB, proxies ...string) *identity.Verifier {
	t.Helper()
	return newVerifier(t, identity.Listener{XFCC: &identity.XFCC{TrustDomains: []string{"prod.acme"}, Proxies: proxies, Skew: 30 * time.Second}})
}

const someHash = "aa00bb11cc22dd33ee44ff55aa00bb11cc22dd33ee44ff55aa00bb11cc22dd33"

func xfcc(principal, header string) *pdp.Envelope {
	return from(principal, nil, "x-forwarded-client-cert", header)
}

func TestXFCC(t *testing.T) {
	certificate := authorityOf().issue(t, []string{bot}, nil)
	direct, behind := newXFCC(t), newXFCC(t, gateway, "spiffe://prod.acme/second")
	mine := "By=spiffe://prod.acme/envoy;Hash=" + someHash + ";URI=" + bot
	for name, c := range map[string]struct {
		v      *identity.Verifier
		e      *pdp.Envelope
		expiry bool
	}{
		"one element":            {direct, xfcc(bot, mine), false},
		"other order and case":   {direct, xfcc(bot, "uri="+bot+";HASH="+strings.ToUpper(someHash)), false},
		"with the certificate":   {direct, xfcc(bot, "Hash="+hash(certificate)+`;Cert="`+encoded(certificate)+`";Subject="";URI=`+bot), true},
		"quoted subject":         {direct, xfcc(bot, `Hash=`+someHash+`;Subject="CN=\"a,b;c\",O=x\\";URI=`+bot), false},
		"with names of hosts":    {direct, xfcc(bot, mine+";DNS=a.example;DNS=b.example;Issuer=\"CN=x\""), false},
		"behind a client's own":  {direct, xfcc(bot, "Hash="+someHash+";URI=spiffe://prod.acme/admin,"+mine), false},
		"behind two, spaced":     {direct, xfcc(bot, `By=x;URI=y, Subject="a, Hash=1;URI=spiffe://prod.acme/admin", `+mine), false},
		"from a proxy":           {behind, xfcc(gateway, mine), false},
		"from a proxy and apart": {behind, xfcc("spiffe://prod.acme/second", "Hash=00,"+mine), false},
	} {
		t.Run(name, func(t *testing.T) {
			agent := accepted(t, c.v, c.e)
			if agent.ID != bot || agent.Kind != "spiffe" || agent.Credential.Kind != "x509" || !agent.Credential.SenderBound || agent.Credential.ExpiresAt.IsZero() == c.expiry {
				t.Errorf("got %+v", agent)
			}
		})
	}
	if agent := accepted(t, direct, with()); agent.Known() {
		t.Errorf("got %+v, want nobody", agent)
	}
	// One certificate is one credential, whichever way it is known.
	header := accepted(t, direct, xfcc(bot, "Hash="+hash(certificate)+";URI="+bot)).Credential.Fingerprint
	if connection := accepted(t, newSPIFFE(t, nil), from(bot, certificate)).Credential.Fingerprint; header != connection {
		t.Errorf("%s and %s", header, connection)
	}
}

func TestRefusedXFCC(t *testing.T) {
	certificate, another := authorityOf().issue(t, []string{bot}, nil), authorityOf().issue(t, []string{bot}, nil)
	expired := authorityOf().issue(t, []string{bot}, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	direct, behind := newXFCC(t), newXFCC(t, gateway)
	mine := "Hash=" + someHash + ";URI=" + bot
	for name, c := range map[string]struct {
		v    *identity.Verifier
		e    *pdp.Envelope
		want string
	}{
		"forged over plaintext":     {direct, xfcc("", mine), "nothing proves who wrote it"},
		"forged over mTLS":          {direct, xfcc("spiffe://prod.acme/other", mine), "the verified peer is"},
		"forged beside another's":   {direct, xfcc("CN=somebody", mine), "the verified peer is"},
		"own element first":         {direct, xfcc(bot, mine+",Hash="+someHash+";URI="), "not the SPIFFE id"},
		"own element first, no URI": {direct, xfcc(bot, mine+",Hash="+someHash), "one URI, one Hash"},
		"not from a proxy":          {behind, xfcc(bot, mine), "not one of the proxies"},
		"about another domain":      {behind, xfcc(gateway, "Hash="+someHash+";URI=spiffe://evil.example/x"), `"evil.example"`},
		"two lines":                 {direct, from(bot, nil, "x-forwarded-client-cert", mine, "x-forwarded-client-cert", mine), "2 lines"},
		"no line":                   {direct, from(bot, nil), "0 lines"},
		"two URIs":                  {direct, xfcc(bot, mine+";URI=spiffe://prod.acme/admin"), "one URI"},
		"two hashes":                {direct, xfcc(bot, mine+";hash="+someHash), "one Hash"},
		"no hash":                   {direct, xfcc(bot, "URI="+bot), "one Hash"},
		"short hash":                {direct, xfcc(bot, "Hash=aa;URI="+bot), "not a SHA-256"},
		"certificate of another":    {direct, xfcc(bot, "Hash="+hash(certificate)+";Cert="+encoded(another)+";URI="+bot), "not the certificate"},
		"certificate of no id":      {direct, xfcc(bot, "Hash="+hash(certificate)+";Cert="+encoded(authorityOf().certificate)+";URI="+bot), "no X509-SVID"},
		"certificate expired":       {direct, xfcc(bot, "Hash="+hash(expired)+";Cert="+encoded(expired)+";URI="+bot), "expired"},
		"certificate unreadable":    {direct, xfcc(bot, mine+";Cert=x"), "Cert cannot be read"},
		"empty":                     {direct, xfcc(bot, ""), "Name=Value"},
		"comma at the end":          {direct, xfcc(bot, mine+","), "Name=Value"},
		"comma in front":            {direct, xfcc(bot, ","+mine), "Name=Value"},
		"semicolon at the end":      {direct, xfcc(bot, mine+";"), "Name=Value"},
		"first does not parse":      {direct, xfcc(bot, "garbage,"+mine), "Name=Value"},
		"space in a name":           {direct, xfcc(bot, " "+mine), "Name=Value"},
		"space in a value":          {direct, xfcc(bot, "By=a b;"+mine), "belong in quotes"},
		"quote inside":              {direct, xfcc(bot, `By=a"b;`+mine), "belong in quotes"},
		"quote without end":         {direct, xfcc(bot, mine+`,By="a;`+mine), "no end"},
		"escaped end":               {direct, xfcc(bot, mine+`;By="a\"`), "no end"},
		"behind a quote":            {direct, xfcc(bot, `By="a"b;`+mine), "behind a quoted"},
		"control in quotes":         {direct, xfcc(bot, "By=\"a\x00\";"+mine), "control"},
		"not ASCII":                 {direct, xfcc(bot, "By=é;"+mine), "belong in quotes"},
		"too many":                  {direct, xfcc(bot, strings.Repeat(mine+",", 32)+mine), "more than 32"},
		"too long":                  {direct, xfcc(bot, strings.Repeat("a", 64<<10+1)), "longer than"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.v, c.e, c.want) })
	}
	// A header that nobody has configured is the client's word.
	if agent := accepted(t, newJWT(t, nil), xfcc(bot, mine)); agent.Known() {
		t.Errorf("got %+v, want nobody", agent)
	}
	if agent := accepted(t, newSPIFFE(t, nil), xfcc("", mine)); agent.Known() {
		t.Errorf("got %+v, want nobody", agent)
	}
}
