package localstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// Traffic is what agents do in production, as far as state can tell: the facts
// of the starter pack, identities, tools and targets of usual lengths, every
// call another one, and an outcome for each. No reader, verifier or policy
// stands before it.

// starter are the starter pack's declarations (policies/remit/memory/data.yaml).
var starter = &pdp.Declarations{Facts: map[string]*pdp.Fact{
	"same_call": {Name: "same_call", Kind: pdp.FactRing, Scope: pdp.PerSession, TTL: 2 * time.Minute, Keys: 256, Ring: 16,
		Lookup: map[string][][]string{"this": {{"action", "digest"}}}},
}}

var generation = &pdp.Generation{ID: "support-policy@4f1c2ab09d3e+7c1d9e0a5b2f", Declared: starter}

// calls are what an agent of the support desk does over and over.
var calls = []struct {
	tool, system, resource, path string
	operation                    pdp.Operation
}{
	{"search_tickets", "tickets", "search", "/mcp/tickets", pdp.Read},
	{"read_ticket", "tickets", "ticket/83713", "/mcp/tickets", pdp.Read},
	{"read_customer", "crm", "customer/40021", "/mcp/crm", pdp.Read},
	{"update_ticket", "tickets", "ticket/83713", "/mcp/tickets", pdp.Write},
}

type traffic struct {
	history *state.History
	keys    *pdp.Keys
	ids     *pdp.IDs
	now     func() time.Time
}

func newTraffic(t testing.TB, store state.Store, now func() time.Time) *traffic {
	keys := testKeys(t)
	return &traffic{state.New(store, keys, state.Defaults, now), keys, pdp.NewIDs(keys), now}
}

// newCase is the i-th action of the n-th agent.
func (f *traffic) newCase(n, i int) *pdp.Case {
	call := &calls[i%len(calls)]
	now := f.now()
	digest := [32]byte{byte(i), byte(i >> 8), byte(n), byte(n >> 8), 31: byte(n >> 16)}
	c := &pdp.Case{
		Now: now, Generation: generation, PolicyTime: 12 * time.Microsecond,
		Envelope: &pdp.Envelope{
			Door: "ext_authz", Listener: "agents", Proxy: "spiffe://example.org/envoy", TrustID: true,
			HTTPID: fmt.Sprintf("9f1c2d3e-4b5a-4c6d-8e7f-%06x%06x", n, i), Sent: now, Received: now,
		},
		Agent: pdp.Agent{
			ID: fmt.Sprintf("support-agent-%06d", n), Issuer: "https://idp.example.com", Kind: "jwt", Owner: "support-team",
			Chain:      []pdp.Principal{{ID: fmt.Sprintf("ann-%06d@example.com", n), Issuer: "https://idp.example.com"}},
			Credential: pdp.Presented{Fingerprint: fmt.Sprintf("credential%012d", n), Kind: "jwt"},
		},
		Request: pdp.Request{
			Protocol: pdp.MCP, Method: "POST", Host: "mcp.example.com", Path: call.path, Digest: digest,
			ID: fmt.Sprintf("9f1c2d3e-4b5a-4c6d-8e7f-%06x%06x", n, i), RPC: &pdp.RPC{Method: "tools/call", Name: call.tool},
		},
		Action: pdp.Action{Operation: call.operation, Tool: call.tool, Digest: digest, Target: pdp.Target{
			ID: call.system + ":" + call.resource, System: call.system, Resource: call.resource, Known: true,
			Sensitivity: pdp.Internal, Environment: "production",
		}},
		Verdict: pdp.Verdict{
			Effect:  pdp.Allow,
			Reasons: []pdp.Reason{{Code: "within_task"}},
			Remember: []pdp.Memo{{Fact: "same_call", On: pdp.OnAttempted,
				Key: []value.Value{value.Str(hex.EncodeToString(digest[:]))}}},
		},
	}
	c.Caller = c.Envelope
	c.Partition = f.keys.Partition(c.Agent.Root())
	return c
}

// decide takes a case through a turn, reading what the starter pack reads.
func (f *traffic) decide(c *pdp.Case) (pdp.Decision, error) {
	turn, err := f.history.Begin(context.Background(), c)
	if err != nil {
		return pdp.Decision{}, err
	}
	defer turn.Release()
	c.Snapshot = turn.View(c)
	if !c.Snapshot.Open {
		c.Admission = &pdp.Admission{Admit: true}
		c.Snapshot = turn.View(c)
	}
	if c.Snapshot.Refusal != nil {
		return pdp.Decision{}, fmt.Errorf("refused: %+v", c.Snapshot.Refusal)
	}
	reads(&c.Snapshot)
	return turn.Commit(context.Background(), c, pdp.Decision{
		ID: f.ids.New(c.Partition), Effect: pdp.Allow, Reasons: c.Verdict.Reasons, Generation: generation.ID, Digest: c.Request.Digest,
	})
}

func reads(s *pdp.Snapshot) {
	n := 0
	for _, name := range []string{"state", "age_seconds", "consecutive_denied", "asked", "targets", "actions"} {
		if s.Session.Get(name).Defined() {
			n++
		}
	}
	actions, _ := s.Session.Path("windows", "1m", "actions", "hi").Int()
	labels := 0
	s.Session.Get("labels").Range(func(string, value.Value) bool { labels++; return true })
	cell := s.Memory.Path("same_call", "this")
	n += int(actions) + labels + s.Session.Get("systems").Len() + cell.Get("entries").Len()
	if n == 0 {
		panic("nothing was read")
	}
}

func (f *traffic) settle(c *pdp.Case, id string) error {
	s, err := f.history.Resume(context.Background(), starter, c.Partition, id)
	if err != nil {
		return err
	}
	defer s.Release()
	return s.Commit(context.Background(), pdp.Outcome{
		DecisionID: id, State: pdp.OutcomeDone, Source: "access_log", Status: 200, Attempts: 1, RequestBytes: 612, ResponseBytes: 4096,
		ContentType: "application/json",
	}, pdp.Effects{})
}

// act is an action with its outcome.
func (f *traffic) act(n, i int) error {
	c := f.newCase(n, i)
	d, err := f.decide(c)
	if err != nil {
		return err
	}
	if d.Effect != pdp.Allow {
		return fmt.Errorf("denied: %+v", d.Reasons)
	}
	return f.settle(c, d.ID)
}
