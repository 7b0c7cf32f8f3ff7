package identity_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// FuzzToken reads tokens that the issuer did sign, whatever it wrote into them.
// One that is accepted is good to two other libraries with the same key and rules,
// and they read the same claims in it: neither of them shares code with the one
// that remit verifies signatures with. Those libraries may accept more.
func FuzzToken(f *testing.F) {
	const header = `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`
	good := goodPayload(f)
	for _, payload := range []string{
		good + "}", good + `,"act":{"sub":"bot","act":{"sub":"planner","iss":"https://other.example.test"}},"scope":"a b"}`, good + `,"sid":"s","n":1.50,"e":"\u00e9\ud834\udd1e"}`,
		good + `,"sub":"root"}`, good + `,"SUB":"root","Aud":"x","EXP":1}`, good + `,"nbf":1795427000.0,"jti":""}`, good + "} ", "\ufeff" + good + "}", good + `,"x":null,"y":[{}]}`,
		`{"iss":"https://idp.example.test","aud":["x","https://tools.example.test"],"sub":"a","iat":1.7954279e9,"exp":1795428600.0}`,
		`{"iss":"https://idp.example.test","aud":"https://tools.example.test","sub":"a","iat":1795427940,"exp":"1795428600"}`,
	} {
		f.Add(header, payload)
	}
	for _, other := range []string{
		`{"alg":"ES256","kid":"ec"}`, `{"typ":"application/at+jwt","kid":"ec","alg":"ES256","x5t":"AA","cty":"JWT"}`, `{"alg":"ES256","typ":"at+jwt"}`, `{"ALG":"none","alg":"ES256","kid":"ec","typ":"at+jwt"}`,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","jwk":{}}`, `{"alg":"ES256","kid":"ec","typ":"at+jwt","x5c":[""]}`, `{"alg":"ES256","kid":"ec","typ":"at+jwt","nonce":1}`,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","jku":"https://evil.example","crit":[]}`, header + "\n",
	} {
		f.Add(other, good+"}")
	}
	v := newJWT(f, nil)
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := ec().signText(t, header, payload)
		agent, err := v.Verify(t.Context(), bearer(token))
		if err != nil {
			return
		}
		if said, _ := value.ParseJSON([]byte(header)); said.Get("nonce").Defined() && said.Get("nonce").Kind() != value.String {
			return
		}
		for name, read := range map[string]func(*testing.T, string) map[string]any{"golang-jwt": byGolangJWT, "go-jose": byGoJose} {
			theirs, err := value.FromGo(read(t, token))
			if err != nil || !value.Equal(agent.Claims, theirs) {
				t.Fatalf("%s.%s: %s reads %v, %v", header, payload, name, theirs.Go(), err)
			}
			checkAgent(t, agent, theirs)
		}
	})
}

// checkAgent holds who was found in a token against its claims as somebody else
// has read them.
func checkAgent(t *testing.T, agent pdp.Agent, claims value.Value) {
	t.Helper()
	acting, subject := claims.Path("act", "sub"), claims.Get("sub").Text()
	if acting.Defined() && agent.ID != acting.Text() || !acting.Defined() && agent.ID != subject {
		t.Fatalf("the token of %v is that of %+v", claims.Go(), agent)
	}
	me := pdp.Principal{ID: agent.ID, Issuer: agent.Issuer}
	if root := (pdp.Principal{ID: subject, Issuer: issuer}); root != me && !slices.Contains(agent.Chain, root) {
		t.Fatalf("%v does not lead to %+v", agent.Chain, root)
	}
}

// byGolangJWT reads a token with golang-jwt, by the rules of claimSettings.
func byGolangJWT(t *testing.T, token string) map[string]any {
	t.Helper()
	rules := claimSettings()
	claims := jwt.MapClaims{}
	parsed, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return ec().private.Public(), nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithTimeFunc(clock), jwt.WithLeeway(rules.Skew),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithIssuer(rules.Issuer), jwt.WithAudience(rules.Audience...))
	if err != nil || !parsed.Valid {
		t.Fatalf("golang-jwt refuses %s: %v", token, err)
	}
	return claims
}

// byGoJose reads a token with go-jose, by the rules of claimSettings.
func byGoJose(t *testing.T, token string) map[string]any {
	t.Helper()
	parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("go-jose refuses %s: %v", token, err)
	}
	rules, standard, all := claimSettings(), josejwt.Claims{}, map[string]any{}
	if err := parsed.Claims(ec().private.Public(), &standard, &all); err != nil {
		t.Fatalf("go-jose refuses %s: %v", token, err)
	}
	err = standard.ValidateWithLeeway(josejwt.Expected{Issuer: rules.Issuer, AnyAudience: rules.Audience, Time: now.Truncate(time.Second)}, rules.Skew)
	if err != nil {
		t.Fatalf("go-jose refuses %s: %v", token, err)
	}
	return all
}

// verifiedByGoJose reports whether a key that go-jose reads in a set, or in a text
// that is one key, has signed the token. A key that it does not know spoils the
// set for it, so it is given them one by one.
func verifiedByGoJose(text, token string) bool {
	parsed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return false
	}
	set := struct{ Keys []json.RawMessage }{}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return false
	}
	return slices.ContainsFunc(append(set.Keys, json.RawMessage(text)), func(one json.RawMessage) bool {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) != nil || key.KeyID != ec().id {
			return false
		}
		_, err := parsed.Verify(key)
		return err == nil
	})
}
