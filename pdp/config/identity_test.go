package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// goodJWT is the part of good that the cases here replace.
const goodJWT = `    jwt:
      issuer: https://idp.example.test
      audience: [ https://tools.example.test ]
      jwks_file: keys/jwks.json
      algorithms: [ ES256 ]
`

func TestIdentityDefaults(t *testing.T) {
	text := strings.Replace(good, "jwks_file: keys/jwks.json", "jwks_url: https://idp.example.test/keys\n      jwks_ca_file: ca.pem", 1)
	text = strings.Replace(text, "outcomes:", `    spiffe: { trust_domains: [ prod.acme ], trust_bundles: { prod.acme: bundle.pem } }
outcomes:`, 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c.rebase("/etc/remit")
	jwt, spiffe := c.Listeners[0].Identity.JWT, c.Listeners[0].Identity.SPIFFE
	if jwt.JWKSRefresh.D() != 5*time.Minute || jwt.JWKSMinRefresh.D() != 10*time.Second || jwt.JWKSMaxStale.D() != 24*time.Hour || jwt.JWKSTimeout.D() != 5*time.Second {
		t.Errorf("the defaults are %+v", jwt)
	}
	if jwt.JWKSCAFile != filepath.Join("/etc/remit", "ca.pem") || spiffe.Bundles["prod.acme"] != filepath.Join("/etc/remit", "bundle.pem") {
		t.Errorf("paths: %q, %v", jwt.JWKSCAFile, spiffe.Bundles)
	}
	if spiffe.Certificate != "required" || spiffe.Skew.D() != 30*time.Second {
		t.Errorf("the defaults are %+v", spiffe)
	}
}

// A claim's name may have dots in it.
func TestClaimPaths(t *testing.T) {
	for text, want := range map[string][]string{
		"act.sub":                             {"act", "sub"},
		"client_id":                           {"client_id"},
		`[ "https://idp.example.com/agent" ]`: {"https://idp.example.com/agent"},
		`[ ext, "a.b" ]`:                      {"ext", "a.b"},
		`""`:                                  nil,
	} {
		c, err := Parse([]byte(strings.Replace(good, "      algorithms:", "      agent_claim: "+text+"\n      algorithms:", 1)))
		if err != nil || !slices.Equal(c.Listeners[0].Identity.JWT.Agent, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestRefusedIdentities(t *testing.T) {
	fetched := func(more string) string { return strings.Replace(goodJWT, "jwks_file: keys/jwks.json", more, 1) }
	for name, c := range map[string]struct{ identity, want string }{
		"file and address":       {goodJWT + "      jwks_url: https://x.test/\n", "exactly one of jwks_file, jwks_url"},
		"address and discovery":  {fetched("jwks_url: https://x.test/\n      discovery: true"), "it holds 2"},
		"stale at once":          {fetched("discovery: true\n      jwks_max_stale: 6m"), "jwks_max_stale"},
		"asked all the time":     {fetched("discovery: true\n      jwks_refresh: 10ms"), "jwks_refresh"},
		"asked again too soon":   {fetched("discovery: true\n      jwks_min_refresh: 1ms"), "jwks_min_refresh"},
		"endless answers":        {fetched("discovery: true\n      jwks_timeout: 1h"), "jwks_timeout"},
		"claim without a name":   {goodJWT + "      agent_claim: act..sub\n", "jwt.agent_claim"},
		"owner without a name":   {goodJWT + "      owner_claim: [ \"\" ]\n", "jwt.owner_claim"},
		"claim a mapping":        {goodJWT + "      agent_claim: { a: b }\n", "agent_claim"},
		"no trust domain":        {"    spiffe: {}\n", "spiffe.trust_domains"},
		"an empty trust domain":  {"    spiffe: { trust_domains: [ \"\" ] }\n", "spiffe.trust_domains"},
		"odd certificate":        {"    spiffe: { trust_domains: [ a ], certificate: maybe }\n", "spiffe.certificate"},
		"bundle of another":      {"    spiffe: { trust_domains: [ a ], trust_bundles: { b: x.pem } }\n", "spiffe.trust_bundles.b"},
		"bundle of nothing":      {"    spiffe: { trust_domains: [ a ], certificate: optional, trust_bundles: { a: x.pem } }\n", "spiffe.trust_bundles"},
		"long skew":              {"    spiffe: { trust_domains: [ a ], skew: 1h }\n", "spiffe.skew"},
		"header, no domain":      {"    xfcc: {}\n", "xfcc.trust_domains"},
		"header, long skew":      {"    xfcc: { trust_domains: [ a ], skew: 1h }\n", "xfcc.skew"},
		"two ways by connection": {"    spiffe: { trust_domains: [ a ] }\n    xfcc: { trust_domains: [ a ] }\n", "exactly one of"},
		"connection and nobody":  {"    spiffe: { trust_domains: [ a ] }\n    none: true\n", "exactly one of"},
		"nothing":                {"    none: false\n", "exactly one of"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, goodJWT) {
				t.Fatal("the example has changed")
			}
			_, err := Parse([]byte(strings.Replace(good, goodJWT, c.identity, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %s", err, c.want)
			}
		})
	}
}

// As a flag, which is always text, a way to a claim means the same.
func TestClaimPathAsAFlag(t *testing.T) {
	for text, want := range map[string][]string{"act.sub": {"act", "sub"}, `["a.b"]`: {"a.b"}} {
		var path ClaimPath
		if err := assign(reflect.ValueOf(&path).Elem(), text); err != nil || !slices.Equal(path, want) {
			t.Errorf("%s: %v, %v", text, path, err)
		}
	}
}
