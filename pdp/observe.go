package pdp

// Observe says where decisions are made and recorded but not enforced, to roll
// out policy (DESIGN 5.2): each place maps to true. The policy itself leaves
// out the packs; they are here for whoever asks what observes.
type Observe struct {
	Listeners map[string]bool
	Systems   map[string]bool
	Packs     map[string]bool
}

// Observed is one reason for a denial that was not enforced.
type Observed struct {
	// Place is why not: "listener agents", "system crm", "pack sunday".
	Place  string
	Class  Class
	Reason Reason
}

// codeObserved is the reason of an allow that nothing but observing allows.
const codeObserved = "observed"

// Observable reports whether denials of a class may go unenforced: never those
// of who is revoked or not proved, and of what cannot be read in one way.
func (class Class) Observable() bool {
	switch class {
	case Revoked, Unauthenticated, Unreadable:
		return false
	default:
		return true
	}
}

// Observes reports whether a refusal of c is not enforced where c is decided,
// and then keeps it in c.WouldDeny. It is for refusals of the policy and of
// budgets: what the state refuses (an ended session, a full store) is not for a
// policy's author to try out.
func (c *Case) Observes(r *Refusal) bool {
	place := c.observingPlace()
	if place == "" || !r.Class.Observable() {
		return false
	}
	c.WouldDeny = append(c.WouldDeny, Observed{Place: place, Class: r.Class, Reason: r.Reason})
	return true
}

// observingPlace is the listener or else the system in observe that c belongs
// to, "" for none.
func (c *Case) observingPlace() string {
	observe := &c.Generation.Observe
	switch {
	case c.Envelope != nil && observe.Listeners[c.Envelope.Listener]:
		return "listener " + c.Envelope.Listener
	case observe.Systems[c.Action.Target.System]:
		return "system " + c.Action.Target.System
	default:
		return ""
	}
}

// observe turns a verdict that denies into an allow where denials are not
// enforced. The allow carries what the policy wants remembered, and nothing
// else of the verdict: its answer, its charges and what it wants done to the
// session belong to a denial that does not happen.
func (c *Case) observe() {
	v := &c.Verdict
	c.WouldDeny = append(c.WouldDeny, v.WouldDeny...)
	denied := c.refusals()
	if len(denied) == 0 {
		return
	}
	kept := len(c.WouldDeny)
	for _, r := range denied {
		if !c.Observes(r) {
			c.WouldDeny = c.WouldDeny[:kept]
			return
		}
	}
	c.Refusal = nil
	remember := v.Remember
	if !c.Snapshot.Kept {
		remember = nil // there is nobody to remember it for
	}
	c.Verdict = Verdict{Effect: Allow, Remember: remember, Reasons: []Reason{{
		Code: codeObserved, Message: "denials are recorded here and not enforced",
	}}}
}

// refusals are the reasons why c would be denied, as the policy gave them.
func (c *Case) refusals() (denied []*Refusal) {
	switch {
	case c.Refusal != nil:
		return []*Refusal{c.Refusal}
	case c.Verdict.Effect == Allow:
		return nil
	}
	class := c.Verdict.Class
	if class == "" {
		class = classOf(c.Verdict.Effect)
	}
	for _, reason := range c.Verdict.Reasons {
		denied = append(denied, &Refusal{Class: class, Reason: reason})
	}
	if len(denied) == 0 { // opa-envoy-plugin's false gives none
		denied = append(denied, &Refusal{Class: class, Reason: Reason{Code: "denied"}})
	}
	return denied
}
