package pdp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

func tokenKeys(t testing.TB, first byte) *pdp.Keys {
	t.Helper()
	seed := make([]byte, pdp.SeedSize)
	seed[0] = first
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func boundTo(thumbprint string) value.Value {
	return value.Obj(value.M("cnf", value.Obj(value.M("jkt", value.Str(thumbprint)))))
}

var (
	ada    = []pdp.Principal{{ID: "user:ada", Issuer: "idp"}}
	holder = pdp.Agent{ID: "agent", Issuer: "idp", Chain: ada}
	until  = time.Unix(1_800_000_000, 5)
)

// Who may use a session token, and until when. Everything else about it is
// the state's to say.
func TestSessionTokens(t *testing.T) {
	keys := tokenKeys(t, 1)
	bound := holder
	bound.Claims = boundTo("k1")
	plain, withKey := keys.SessionToken(&holder, "s_1", until), keys.SessionToken(&bound, "s_1", until)
	with := func(change func(*pdp.Agent)) pdp.Agent {
		a := bound
		change(&a)
		return a
	}
	inOne := with(func(a *pdp.Agent) { a.Workload = &pdp.Workload{ID: "spiffe://d/one"} })
	fromOne := keys.SessionToken(&inOne, "s_1", until)
	cases := map[string]struct {
		token string
		agent pdp.Agent
		at    time.Time
		want  error
	}{
		"its agent":                      {plain, holder, until.Add(-time.Hour), nil},
		"its agent, at the last moment":  {plain, holder, until, nil},
		"its agent, too late":            {plain, holder, until.Add(1), pdp.ErrExpired},
		"its agent, with a key by now":   {plain, bound, until, nil},
		"its agent with its key":         {withKey, bound, until, nil},
		"its agent without its key":      {withKey, holder, until, pdp.ErrOtherAgent},
		"its agent with another key":     {withKey, with(func(a *pdp.Agent) { a.Claims = boundTo("k2") }), until, pdp.ErrOtherAgent},
		"from another workload":          {fromOne, with(func(a *pdp.Agent) { a.Workload = &pdp.Workload{ID: "spiffe://d/two"} }), until, pdp.ErrOtherAgent},
		"from no workload":               {fromOne, bound, until, pdp.ErrOtherAgent},
		"from its workload":              {fromOne, inOne, until, nil},
		"another agent":                  {withKey, with(func(a *pdp.Agent) { a.ID = "other" }), until, pdp.ErrOtherAgent},
		"the same name, another issuer":  {withKey, with(func(a *pdp.Agent) { a.Issuer = "evil" }), until, pdp.ErrOtherAgent},
		"its agent, for another person":  {withKey, with(func(a *pdp.Agent) { a.Chain = []pdp.Principal{{ID: "user:eve", Issuer: "idp"}} }), until, pdp.ErrOtherAgent},
		"its agent, for itself":          {withKey, with(func(a *pdp.Agent) { a.Chain = nil }), until, pdp.ErrOtherAgent},
		"made with other keys":           {tokenKeys(t, 2).SessionToken(&holder, "s_1", until), holder, until, pdp.ErrForged},
		"nothing":                        {"", holder, until, pdp.ErrForged},
		"its beginning alone":            {"remit_s1_", holder, until, pdp.ErrForged},
		"without its beginning":          {strings.TrimPrefix(plain, "remit_s1_"), holder, until, pdp.ErrForged},
		"cut":                            {plain[:len(plain)-4], holder, until, pdp.ErrForged},
		"with something behind":          {plain + "AAAA", holder, until, pdp.ErrForged},
		"with padding":                   {plain + "=", holder, until, pdp.ErrForged},
		"with a line break in it":        {plain[:40] + "\n" + plain[40:], holder, until, pdp.ErrForged},
		"two of them, joined":            {plain + "," + plain, holder, until, pdp.ErrForged},
		"the token of a longer session":  {keys.SessionToken(&holder, strings.Repeat("s", 65), until), holder, until, pdp.ErrForged},
		"the token of a nameless sesion": {keys.SessionToken(&holder, "", until), holder, until, pdp.ErrForged},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			session, err := keys.SessionOf(c.token, &c.agent, c.at)
			if !errors.Is(err, c.want) || (err == nil) != (session == "s_1") {
				t.Errorf("session %q, error %v, want %v", session, err, c.want)
			}
		})
	}
}

// Whatever is changed in a token, it is another one, and forged.
func TestTamperedSessionTokens(t *testing.T) {
	keys := tokenKeys(t, 1)
	token := []byte(keys.SessionToken(&holder, "s_1", until))
	for i := range token {
		for _, other := range []byte("A_z0") {
			if changed := append([]byte(nil), token...); token[i] != other {
				changed[i] = other
				if session, err := keys.SessionOf(string(changed), &holder, until); !errors.Is(err, pdp.ErrForged) {
					t.Fatalf("byte %d as %q: session %q, error %v", i, other, session, err)
				}
			}
		}
	}
}

// Nothing but what was made reads as a token.
func FuzzSessionToken(f *testing.F) {
	keys := tokenKeys(f, 1)
	good := keys.SessionToken(&holder, "s_1", until)
	f.Add(good)
	f.Add("remit_s1_")
	f.Add(strings.Repeat("A", 300))
	f.Fuzz(func(t *testing.T, token string) {
		if session, err := keys.SessionOf(token, &holder, until); err == nil && token != good {
			t.Errorf("%q is a token of session %q", token, session)
		}
	})
}
