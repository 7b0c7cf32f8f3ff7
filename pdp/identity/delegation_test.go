package identity_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// actors nests act claims, the current actor first.
func actors(ids ...string) any {
	var act any
	for _, id := range slices.Backward(ids) {
		claim := claims{"sub": id}
		if act != nil {
			claim["act"] = act
		}
		act = claim
	}
	return act
}

// way is the way to a claim; "" is none.
func way(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, ".")
}

func by(ids ...string) (chain []pdp.Principal) {
	for _, id := range ids {
		chain = append(chain, pdp.Principal{ID: id, Issuer: issuer})
	}
	return chain
}

func TestDelegation(t *testing.T) {
	const there = "https://there.example.test"
	elsewhere := pdp.Principal{ID: "bot", Issuer: there}
	for name, c := range map[string]struct {
		agentClaim string
		claims     claims
		agent      pdp.Principal
		chain      []pdp.Principal
	}{
		"nobody else":             {"", nil, by("user:alice")[0], nil},
		"one actor":               {"", claims{"act": actors("bot")}, by("bot")[0], by("user:alice")},
		"actors in order":         {"", claims{"act": actors("bot", "planner", "front")}, by("bot")[0], by("planner", "front", "user:alice")},
		"subject acts for itself": {"", claims{"act": actors("user:alice")}, by("user:alice")[0], nil},
		"agent twice in a chain":  {"", claims{"act": actors("bot", "planner", "bot")}, by("bot")[0], by("planner", "user:alice")},
		"a claim for the agent":   {"client_id", claims{"client_id": "bot"}, by("bot")[0], by("user:alice")},
		"client is the subject":   {"client_id", claims{"client_id": "user:alice"}, by("user:alice")[0], nil},
		"claim within claims":     {"ext.agent.id", claims{"ext": claims{"agent": claims{"id": "bot"}}}, by("bot")[0], by("user:alice")},
		"claim beside actors":     {"client_id", claims{"client_id": "bot", "act": actors("gateway", "planner")}, by("bot")[0], by("gateway", "planner", "user:alice")},
		"act.sub by name":         {"act.sub", claims{"act": actors("bot", "planner")}, by("bot")[0], by("planner", "user:alice")},
		"actor of the issuer":     {"", claims{"act": claims{"sub": "bot", "iss": issuer}}, by("bot")[0], by("user:alice")},
		"actor of another issuer": {"", claims{"act": claims{"sub": "bot", "iss": there}}, elsewhere, by("user:alice")},
		"the same by name":        {"act.sub", claims{"act": claims{"sub": "bot", "iss": there}}, elsewhere, by("user:alice")},
		"namesake of the subject": {"", claims{"sub": "bot", "act": claims{"sub": "bot", "iss": there}}, elsewhere, by("bot")},
		"namesake in the chain":   {"", claims{"act": claims{"sub": "bot", "act": claims{"sub": "bot", "iss": there}}}, by("bot")[0], append([]pdp.Principal{elsewhere}, by("user:alice")...)},
	} {
		t.Run(name, func(t *testing.T) {
			v := newJWT(t, func(s *identity.JWT) { s.Agent = way(c.agentClaim) })
			agent := accepted(t, v, bearer(ec().sign(t, nil, c.claims)))
			if got := (pdp.Principal{ID: agent.ID, Issuer: agent.Issuer}); got != c.agent {
				t.Errorf("the agent is %+v, want %+v", got, c.agent)
			}
			if !slices.Equal(agent.Chain, c.chain) {
				t.Errorf("the chain is %+v, want %+v", agent.Chain, c.chain)
			}
			root := c.agent
			if len(c.chain) > 0 {
				root = c.chain[len(c.chain)-1]
			}
			if agent.Root() != root {
				t.Errorf("the root is %+v, want %+v", agent.Root(), root)
			}
		})
	}
}

func TestRefusedDelegation(t *testing.T) {
	many := make([]string, 9)
	for i := range many {
		many[i] = "hop-" + strconv.Itoa(i)
	}
	if agent := accepted(t, newJWT(t, nil), bearer(ec().sign(t, nil, claims{"act": actors(many[:8]...)}))); len(agent.Chain) != 8 {
		t.Errorf("of 8 actors and a subject the chain holds %d", len(agent.Chain))
	}
	for name, c := range map[string]struct {
		agentClaim string
		claims     claims
		want       string
	}{
		"too many actors":             {"", claims{"act": actors(many...)}, "longer than 8"},
		"too many, another agent":     {"sub", claims{"act": actors(many...)}, "longer than 8"},
		"actor a string":              {"", claims{"act": "bot"}, "act claim"},
		"actor a list":                {"", claims{"act": []any{claims{"sub": "bot"}}}, "act claim"},
		"actor without a subject":     {"", claims{"act": claims{"client_id": "bot"}}, "act claim"},
		"actor with an empty subject": {"", claims{"act": actors("")}, "act claim"},
		"actor's subject a number":    {"", claims{"act": claims{"sub": 7}}, "act claim"},
		"actor further down is none":  {"", claims{"act": claims{"sub": "bot", "act": true}}, "act claim"},
		"actor's issuer a list":       {"", claims{"act": claims{"sub": "bot", "iss": []string{issuer}}}, "issuer in an act"},
		"actor's issuer empty":        {"", claims{"act": claims{"sub": "bot", "iss": ""}}, "issuer in an act"},
		"malformed, another agent":    {"sub", claims{"act": "bot"}, "act claim"},
		"agent claim missing":         {"client_id", nil, "client_id"},
		"agent claim empty":           {"client_id", claims{"client_id": ""}, "client_id"},
		"agent claim a number":        {"client_id", claims{"client_id": 7}, "client_id"},
		"agent claim cut short":       {"ext.agent.id", claims{"ext": claims{"agent": "bot"}}, "ext.agent.id"},
		"no actor though demanded":    {"act.sub", nil, "act.sub"},
		"chain without its subject":   {"client_id", claims{"client_id": "bot", "sub": nil}, "no subject"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newJWT(t, func(s *identity.JWT) { s.Agent = way(c.agentClaim) })
			refused(t, v, bearer(ec().sign(t, nil, c.claims)), c.want)
		})
	}
}

func TestWhatElseClaimsSay(t *testing.T) {
	v := newJWT(t, func(s *identity.JWT) { s.Owner, s.Session = way("ext.team"), []string{"sid", "txn"} })
	for name, c := range map[string]struct {
		claims claims
		want   pdp.Agent
	}{
		"nothing":                      {nil, pdp.Agent{}},
		"scope a string":               {claims{"scope": " crm.read  crm.write "}, pdp.Agent{Scopes: []string{"crm.read", "crm.write"}}},
		"scope a list":                 {claims{"scope": []any{"crm.read", 7, "crm.write"}}, pdp.Agent{Scopes: []string{"crm.read", "crm.write"}}},
		"scp a list":                   {claims{"scp": []string{"crm.read", "crm.write"}}, pdp.Agent{Scopes: []string{"crm.read", "crm.write"}}},
		"scp a string":                 {claims{"scp": "crm.read crm.write"}, pdp.Agent{Scopes: []string{"crm.read", "crm.write"}}},
		"scope and scp":                {claims{"scope": "crm.read", "scp": []string{"admin"}}, pdp.Agent{Scopes: []string{"crm.read"}}},
		"scope a number":               {claims{"scope": 7}, pdp.Agent{}},
		"owner":                        {claims{"ext": claims{"team": "billing"}}, pdp.Agent{Owner: "billing"}},
		"owner a list":                 {claims{"ext": claims{"team": []string{"billing"}}}, pdp.Agent{}},
		"session":                      {claims{"sid": "s-7f", "txn": "t-1"}, pdp.Agent{SessionClaim: "sid:s-7f"}},
		"second of the session claims": {claims{"txn": "t-1"}, pdp.Agent{SessionClaim: "txn:t-1"}},
		"empty session":                {claims{"sid": "", "txn": "t-1"}, pdp.Agent{SessionClaim: "txn:t-1"}},
		"session a number":             {claims{"sid": 7}, pdp.Agent{}},
		"claim that is not configured": {claims{"jti": "j-1", "session_id": "x"}, pdp.Agent{}},
		"SPIFFE id":                    {claims{"sub": "spiffe://prod.acme/billing"}, pdp.Agent{TrustDomain: "prod.acme"}},
		"SPIFFE id of a domain":        {claims{"sub": "spiffe://prod.acme"}, pdp.Agent{TrustDomain: "prod.acme"}},
		"another scheme":               {claims{"sub": "https://prod.acme/spiffe://x/"}, pdp.Agent{}},
	} {
		t.Run(name, func(t *testing.T) {
			agent := accepted(t, v, bearer(ec().sign(t, nil, c.claims)))
			got := pdp.Agent{Owner: agent.Owner, Scopes: agent.Scopes, SessionClaim: agent.SessionClaim, TrustDomain: agent.TrustDomain}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Claims with the same value under two names are two sessions.
func TestSessionClaimsDoNotMix(t *testing.T) {
	v := newJWT(t, nil)
	one := accepted(t, v, bearer(ec().sign(t, nil, claims{"sid": "x"})))
	two := accepted(t, v, bearer(ec().sign(t, nil, claims{"txn": "x"})))
	if one.SessionClaim == two.SessionClaim {
		t.Errorf("both are %q", one.SessionClaim)
	}
}
