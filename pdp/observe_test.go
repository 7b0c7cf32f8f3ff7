package pdp_test

import (
	"context"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

func refuses(class pdp.Class) func(context.Context, value.Value) (pdp.Verdict, error) {
	return func(context.Context, value.Value) (pdp.Verdict, error) {
		return pdp.Verdict{}, pdp.Refuse(class, "why", "no", "")
	}
}

func denies(v pdp.Verdict) func(context.Context, value.Value) (pdp.Verdict, error) {
	return func(context.Context, value.Value) (pdp.Verdict, error) { return v, nil }
}

// What denies in the policy is not enforced where it is observed, and said so;
// what is revoked, not proved or unreadable is denied there as well, and what
// the state refuses.
func TestObserve(t *testing.T) {
	full := pdp.Verdict{
		Class: pdp.OutOfScope, Reasons: []pdp.Reason{{Code: "one"}, {Code: "two"}}, Session: pdp.Directive{Quarantine: true},
		Response: pdp.Response{Status: 451, Body: "no"}, Remember: []pdp.Memo{{Fact: "f", On: pdp.OnAttempted}},
	}
	for _, c := range []struct {
		name    string
		arrange func(*rig)
		would   []string // codes; nil: denied
	}{
		{"a denial", func(r *rig) { r.decide = denies(full) }, []string{"one", "two"}},
		{"a challenge", func(r *rig) {
			r.decide = denies(pdp.Verdict{Effect: pdp.Challenge, Reasons: []pdp.Reason{{Code: "ask"}}})
		}, []string{"ask"}},
		{"the plugin's false", func(r *rig) { r.decide = denies(pdp.Verdict{}) }, []string{"denied"}},
		{"a policy that fails", func(r *rig) { r.decide = refuses(pdp.Unavailable) }, []string{"why"}},
		{"an admission", func(r *rig) {
			r.view = func(c *pdp.Case) pdp.Snapshot { return pdp.Snapshot{Kept: true, Open: c.Admission != nil} }
			r.admit = func(context.Context, value.Value) (pdp.Admission, error) { return pdp.Admission{}, nil }
		}, []string{pdp.CodeNotAdmitted}},
		{"revoked by the policy", func(r *rig) { r.decide = denies(pdp.Verdict{Class: pdp.Revoked}) }, nil},
		{"not proved, says the policy", func(r *rig) { r.decide = denies(pdp.Verdict{Class: pdp.Unauthenticated}) }, nil},
		{"unreadable, says the policy", func(r *rig) { r.decide = refuses(pdp.Unreadable) }, nil},
		{"an unreadable request", func(r *rig) {
			r.read = func(*pdp.Envelope) (pdp.Request, error) {
				return pdp.Request{}, pdp.Refuse(pdp.Unreadable, "path", "", "")
			}
		}, nil},
		{"a bad credential", func(r *rig) {
			r.verify = func(context.Context, *pdp.Envelope) (pdp.Agent, error) {
				return pdp.Agent{}, pdp.Refuse(pdp.Unauthenticated, "token", "", "")
			}
		}, nil},
		{"an ended session", func(r *rig) {
			r.view = func(*pdp.Case) pdp.Snapshot {
				return pdp.Snapshot{Kept: true, Open: true, Refusal: pdp.Refuse(pdp.OutOfScope, pdp.CodeSessionEnded, "", "")}
			}
		}, nil},
	} {
		for place, observe := range map[string]pdp.Observe{
			"listener agents": {Listeners: map[string]bool{"agents": true}},
			"system crm":      {Systems: map[string]bool{"crm": true}},
			"":                {Listeners: map[string]bool{"other": true}, Systems: map[string]bool{"other": true}},
		} {
			t.Run(c.name+" at "+place, func(t *testing.T) {
				r := newRig()
				r.find = func(*pdp.Request) pdp.Action {
					return pdp.Action{Operation: pdp.Read, Target: pdp.Target{System: "crm", Known: true}}
				}
				c.arrange(r)
				var verdict pdp.Verdict
				r.commit = func(_ context.Context, c *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
					verdict = c.Verdict
					return d, nil
				}
				point := r.point(t)
				g := *point.Generation()
				g.Observe = observe
				point.Activate(&g)
				d := point.Decide(t.Context(), &pdp.Envelope{Listener: "agents"})

				if c.would == nil || place == "" {
					if d.Effect == pdp.Allow || len(d.WouldDeny) > 0 {
						t.Fatalf("got %v, would deny %v", d.Effect, d.WouldDeny)
					}
					return
				}
				if d.Effect != pdp.Allow || len(d.WouldDeny) != len(c.would) || d.Response.Status != 0 || verdict.Session.Quarantine {
					t.Fatalf("got %+v of %+v", d, verdict)
				}
				for i, code := range c.would {
					if o := d.WouldDeny[i]; o.Reason.Code != code || o.Place != place {
						t.Errorf("would deny %+v, want %s at %s", o, code, place)
					}
				}
				if c.name == "a denial" && len(verdict.Remember) != 1 {
					t.Error("what the policy remembers is lost")
				}
			})
		}
	}
}

// What packs in observe would deny is said beside whatever is decided.
func TestPacksInObserve(t *testing.T) {
	would := []pdp.Observed{{Place: "pack new", Class: pdp.OutOfScope, Reason: pdp.Reason{Code: "no"}}}
	for _, effect := range []pdp.Effect{pdp.Allow, pdp.Deny} {
		r := newRig()
		r.decide = denies(pdp.Verdict{Effect: effect, WouldDeny: would})
		if d := r.ask(t); d.Effect != effect || len(d.WouldDeny) != 1 || d.WouldDeny[0].Place != "pack new" {
			t.Errorf("got %v, would deny %v", d.Effect, d.WouldDeny)
		}
	}
}
