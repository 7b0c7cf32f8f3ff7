package identity_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// What a token claims about itself, and why that is not good.
func TestRefusedClaims(t *testing.T) {
	at := now.Unix()
	v := newJWT(t, nil)
	for name, c := range map[string]struct {
		claims claims
		want   string
	}{
		"issuer of another":      {claims{"iss": "https://evil.example.test"}, `"https://evil.example.test"`},
		"issuer in another case": {claims{"iss": strings.ToUpper(issuer)}, "issuer"},
		"issuer with a slash":    {claims{"iss": issuer + "/"}, "issuer"},
		"issuer a list":          {claims{"iss": []string{issuer}}, "issuer"},
		"no issuer":              {claims{"iss": nil}, "issuer"},
		"audience of another":    {claims{"aud": "https://mail.example.test"}, "audience"},
		"audience our prefix":    {claims{"aud": audience + ".evil.test"}, "audience"},
		"audiences of others":    {claims{"aud": []any{"a", "b", 1, nil}}, "audience"},
		"audience a map":         {claims{"aud": claims{audience: true}}, "audience"},
		"empty audience":         {claims{"aud": ""}, "audience"},
		"no audience at all":     {claims{"aud": []any{}}, "audience"},
		"no audience":            {claims{"aud": nil}, "audience"},
		"expired":                {claims{"exp": at - 31}, "expired 31s ago"},
		"expired this second":    {claims{"exp": at - 30}, "expired"},
		"no expiry":              {claims{"exp": nil}, "(exp)"},
		"expiry a string":        {claims{"exp": "1795428600"}, "(exp)"},
		"expiry zero":            {claims{"exp": 0}, "(exp)"},
		"expiry after all time":  {claims{"exp": int64(253402300799)}, "(exp)"},
		"expiry in fractions":    {claims{"exp": json.Number("1795428600.5")}, "(exp)"},
		"no time of issue":       {claims{"iat": nil}, "(iat)"},
		"time of issue a string": {claims{"iat": "1795428000"}, "(iat)"},
		"time of issue negative": {claims{"iat": -1}, "(iat)"},
		"issued in the future":   {claims{"iat": at + 31}, "future"},
		"not valid yet":          {claims{"nbf": at + 31}, "not valid for another 31s"},
		"not valid before a str": {claims{"nbf": "soon"}, "nbf"},
		"not valid before null":  {claims{"nbf": json.RawMessage("null")}, "nbf"},
		"too old":                {claims{"iat": at - 3631}, "old"},
		"living too long":        {claims{"iat": at, "exp": at + 3601}, "lives for"},
		"no subject":             {claims{"sub": nil}, "no subject"},
		"empty subject":          {claims{"sub": ""}, "no subject"},
		"subject a number":       {claims{"sub": 7}, "no subject"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, bearer(ec().sign(t, nil, c.claims)), c.want) })
	}
}

// What is at the edge of being refused is good.
func TestAcceptedAtTheEdge(t *testing.T) {
	at := now.Unix()
	v := newJWT(t, nil)
	for name, c := range map[string]claims{
		"expired within the skew":  {"exp": at - 29},
		"issued within the skew":   {"iat": at + 30},
		"valid within the skew":    {"nbf": at + 30},
		"the longest life":         {"iat": at - 60, "exp": at - 60 + 3600},
		"one audience of several":  {"aud": []string{"x", audience}},
		"another of our audiences": {"aud": "https://other.example.test"},
	} {
		t.Run(name, func(t *testing.T) { accepted(t, v, bearer(ec().sign(t, nil, c))) })
	}
	for _, typ := range []string{"application/at+jwt", "AT+JWT"} {
		accepted(t, v, bearer(ec().sign(t, claims{"typ": typ}, nil)))
	}
}

// What a token says it is, and who signed it. The claims are good in all.
func TestRefusedHeaders(t *testing.T) {
	v := newJWT(t, nil)
	payload := goodPayload(t) + "}"
	public, err := x509.MarshalPKIXPublicKey(ec().private.Public())
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{
		"DER": public, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	}
	if secrets["JWK"], err = json.Marshal(ec().public(t, nil)); err != nil {
		t.Fatal(err)
	}
	for form, secret := range secrets {
		token, err := jws.Sign([]byte(payload), jws.WithKey(jwa.HS256(), secret, jws.WithProtectedHeaders(headersOf(t, claims{"kid": "ec", "typ": "at+jwt"}))))
		if err != nil {
			t.Fatal(err)
		}
		t.Run("HS256 with the public key as "+form, func(t *testing.T) { refused(t, v, bearer(string(token)), `"HS256"`) })
	}
	pss := rs()
	pss.alg = jwa.PS256()
	unnamed := newJWT(t, func(s *identity.JWT) {
		s.JWKSFile = writeKeys(t, ec().public(t, claims{"alg": nil}), rs().public(t, claims{"alg": nil}))
	})
	attackers := asJWK(t, other().private.Public())
	text := func(header string) string { return ec().signText(t, header, payload) }
	for name, c := range map[string]struct {
		v     *identity.Verifier
		token string
		want  string
	}{
		"type of an ID token":      {v, ec().sign(t, claims{"typ": "JWT"}, nil), `type "JWT"`},
		"type of a logout token":   {v, ec().sign(t, claims{"typ": "logout+jwt"}, nil), `"logout+jwt"`},
		"no type":                  {v, ec().sign(t, claims{"typ": nil}, nil), `type "JWT"`},
		"type a number":            {v, text(`{"alg":"ES256","kid":"ec","typ":7}`), "type"},
		"not signed":               {v, unsigned(`{"alg":"none","kid":"ec","typ":"at+jwt"}`, payload), `"none"`},
		"not signed, odd case":     {v, unsigned(`{"alg":"nOnE","kid":"ec","typ":"at+jwt"}`, payload), `"nOnE"`},
		"no algorithm":             {v, text(`{"kid":"ec","typ":"at+jwt"}`), `algorithm ""`},
		"algorithm in lower case":  {v, text(`{"alg":"es256","kid":"ec","typ":"at+jwt"}`), `"es256"`},
		"algorithm a list":         {v, text(`{"alg":["ES256"],"kid":"ec","typ":"at+jwt"}`), "algorithm"},
		"algorithm not pinned":     {v, pss.sign(t, nil, nil), `"PS256"`},
		"algorithm of another key": {v, ec().sign(t, claims{"kid": "rs"}, nil), `"rs" is for [RS256]`},
		"kind of another key":      {unnamed, ec().sign(t, claims{"kid": "rs"}, nil), `"rs" is for [RS256]`},
		"unknown key":              {v, ec().sign(t, claims{"kid": "gone"}, nil), `"gone"`},
		"no key named of several":  {v, ec().sign(t, claims{"kid": nil}, nil), "no key"},
		"key id a number":          {v, text(`{"alg":"ES256","kid":7,"typ":"at+jwt"}`), "key id"},
		"empty key id":             {v, text(`{"alg":"ES256","kid":"","typ":"at+jwt"}`), "key id"},
		"key of an attacker":       {v, other().sign(t, nil, nil), "signature"},
		"key in the header":        {v, other().sign(t, claims{"jwk": attackers}, nil), "signature"},
		"only key in the header":   {v, other().sign(t, claims{"jwk": attackers, "kid": nil}, nil), "no key"},
		"address of a key":         {v, other().sign(t, claims{"jku": "http://127.0.0.1:1/jwks"}, nil), "signature"},
		"critical extension":       {v, text(`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["exp"],"exp":1}`), "crit"},
		"critical null":            {v, text(`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":null}`), "crit"},
		"payload not encoded":      {v, text(`{"alg":"ES256","kid":"ec","typ":"at+jwt","b64":false}`), "b64"},
		"payload compressed":       {v, text(`{"alg":"ES256","kid":"ec","typ":"at+jwt","zip":"DEF"}`), "zip"},
		"header with a name twice": {v, text(`{"alg":"none","alg":"ES256","kid":"ec","typ":"at+jwt"}`), "header is not strict"},
		"header not an object":     {v, text(`"ES256"`), "header is not strict"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.v, bearer(c.token), c.want) })
	}
}

func headersOf(t *testing.T, members claims) jws.Headers {
	t.Helper()
	headers := jws.NewHeaders()
	for name, v := range members {
		if err := headers.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	return headers
}

func unsigned(header, payload string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "."
}

// The payload is what the signer wrote, and two readers could read it
// differently.
func TestRefusedPayloads(t *testing.T) {
	v := newJWT(t, nil)
	good := goodPayload(t)
	const header = `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`
	accepted(t, v, bearer(ec().signText(t, header, good+"}")))
	for name, payload := range map[string]string{
		"subject twice":        good + `,"sub":"user:root"}`,
		"subject twice, coded": good + `,"\u0073ub":"user:root"}`,
		"twice further down":   good + `,"act":{"sub":"a","sub":"b"}}`,
		"something behind":     good + `}{}`,
		"a list":               "[" + good + "}]",
		"not UTF-8":            good + ",\"x\":\"\xff\"}",
		"lossy number":         good + `,"x":9007199254740993}`,
		"nothing":              "",
		"null":                 "null",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, v, bearer(ec().signText(t, header, payload)), "claims are not strict JSON")
		})
	}
}

// How a token is carried and spelled.
func TestRefusedRequests(t *testing.T) {
	v := newJWT(t, nil)
	token := ec().sign(t, nil, nil)
	part := strings.Split(token, ".")
	object, err := json.Marshal(claims{"payload": part[1], "protected": part[0], "signature": part[2]})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		e    *pdp.Envelope
		want string
	}{
		"two headers":            {with("authorization", "Bearer "+token, "authorization", "Bearer "+token), "more than once"},
		"two headers, one empty": {with("authorization", "Bearer "+token, "authorization", ""), "more than once"},
		"two headers joined":     {bearer(token + ",Bearer " + token), "compact"},
		"no scheme":              {with("authorization", token), "Bearer"},
		"another scheme":         {with("authorization", "DPoP "+token), "Bearer"},
		"password":               {with("authorization", "Basic dXNlcjpwYXNzd29yZHdvcmQ="), "Bearer"},
		"scheme alone":           {with("authorization", "Bearer"), "Bearer"},
		"empty header":           {with("authorization", ""), "Bearer"},
		"empty token":            {bearer(""), "empty"},
		"space in front":         {bearer(" " + token), "not base64url"},
		"space behind":           {bearer(token + " "), "not base64url"},
		"too long":               {bearer(strings.Repeat("a", 16<<10+1)), "longer than 16384"},
		"one part":               {bearer("garbage"), "compact"},
		"two parts":              {bearer(part[0] + "." + part[1]), "compact"},
		"five parts":             {bearer(token + "." + part[0] + "." + part[1]), "compact"},
		"dots":                   {bearer(".."), "header is not strict"},
		"garbage":                {bearer("a.b.c"), "header is not strict"},
		"JSON form":              {bearer(string(object)), "compact"},
		"signature cut off":      {bearer(part[0] + "." + part[1] + "."), "signature"},
		"signature cut":          {bearer(token[:len(token)-4]), "signature"},
		"signature of another":   {bearer(part[0] + "." + part[1] + "." + strings.Split(ec().sign(t, nil, claims{"x": 1}), ".")[2]), "signature"},
		"claims of another":      {bearer(part[0] + "." + strings.Split(ec().sign(t, nil, claims{"sub": "root"}), ".")[1] + "." + part[2]), "signature"},
		"padding":                {bearer(token + "=="), "not base64url"},
		"line break behind":      {bearer(token + "\n"), "not base64url"},
		"line break in header":   {bearer(token[:4] + "\n" + token[4:]), "not base64url"},
		"standard alphabet":      {bearer(token[:len(token)-2] + "+/"), "not base64url"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, c.e, c.want) })
	}
}

// The last character of a part may have bits to spare; they must not be set.
func TestRefusedSpareBits(t *testing.T) {
	v := newJWT(t, nil)
	for _, text := range []string{`{"alg":"ES256","kid":"ec","typ":"at+jwt" }`, `{"alg":"ES256","kid":"ec","typ":"at+jwt"  }`, `{"alg":"ES256","kid":"ec","typ":"at+jwt"   }`} {
		if len(text)%3 == 0 {
			continue
		}
		coded := base64.RawURLEncoding.EncodeToString([]byte(text))
		spelled := 0
		for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			spelling := coded[:len(coded)-1] + string(last)
			if same, err := base64.RawURLEncoding.DecodeString(spelling); err != nil || string(same) != text {
				continue
			}
			token := ec().signParts(t, spelling+"."+base64.RawURLEncoding.EncodeToString([]byte(goodPayload(t)+"}")))
			if spelled++; spelling == coded {
				accepted(t, v, bearer(token))
				continue
			}
			refused(t, v, bearer(token), "header is not strict")
		}
		if spelled < 4 {
			t.Errorf("%q has %d spellings: it has no bits to spare", text, spelled)
		}
	}
}

// Up to the limit a token may be long; beyond it nothing is even decoded.
func TestTokenSize(t *testing.T) {
	v := newJWT(t, nil)
	const limit = 16 << 10
	within, beyond := 0, 0
	for pad := 11_800; within == 0 || beyond == 0; pad++ {
		token := ec().sign(t, nil, claims{"pad": strings.Repeat("x", pad)})
		switch n := len(token); {
		case n > limit:
			refused(t, v, bearer(token), "longer")
			beyond++
		case n > limit-4:
			accepted(t, v, bearer(token))
			within++
		}
	}
}
