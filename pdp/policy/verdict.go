package policy

import (
	"math"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Bounds of what one verdict may ask for: beyond them it is of the wrong type.
const (
	maxReasons = 64
	maxEffects = 64 // memos, charges and labels, each
	maxName    = 128
	maxLife    = 30 * 24 * time.Hour
)

// readVerdict reads what the entry point said: the plugin's boolean or object,
// or remit's own. What it says about HTTP is the same in both.
func readVerdict(result value.Value, declared *pdp.Declarations) (pdp.Verdict, error) {
	if allowed, isBool := result.Bool(); isBool {
		return pdp.Verdict{Effect: boolEffect(allowed)}, nil
	}
	r := readingOf(result)
	defer r.end()
	if result.Kind() != value.Map {
		r.wrong("the decision is of type %s, want boolean or object", result.Kind())
		return pdp.Verdict{}, r.err()
	}
	v := pdp.Verdict{Response: readResponse(r)}
	// A pack's part is merged with those of all others, most often to nothing.
	if metadata := r.member("dynamic_metadata"); metadata.is(value.Map) && len(metadata.there()) > 0 {
		v.Metadata = metadata.of.Copy()
	}
	allowed, effect := r.member("allowed"), r.member("effect")
	switch {
	case allowed.of.Defined() && effect.of.Defined():
		r.wrong("says allowed and effect: which one holds?")
	case allowed.of.Defined():
		v.Effect = boolEffect(allowed.flag())
	case effect.of.Defined():
		v.Effect = readEffect(effect)
		readOwn(r, declared, &v)
	default:
		r.wrong("says neither allowed nor effect")
	}
	r.done()
	if err := r.err(); err != nil {
		return pdp.Verdict{}, err
	}
	return v, nil
}

func boolEffect(allowed bool) pdp.Effect {
	if allowed {
		return pdp.Allow
	}
	return pdp.Deny
}

func readEffect(r *reading) pdp.Effect {
	switch oneOf(r, "deny", "allow", "deny", "challenge") {
	case "allow":
		return pdp.Allow
	case "challenge":
		return pdp.Challenge
	default:
		return pdp.Deny
	}
}

// classes are the answers a policy may give.
var classes = []pdp.Class{
	pdp.OutOfScope, pdp.NeedsApproval, pdp.BudgetSpent, pdp.Pending, pdp.Revoked, pdp.Unauthenticated, pdp.Unreadable, pdp.Unavailable,
}

// readOwn reads what only remit's own decisions say.
func readOwn(r *reading, declared *pdp.Declarations, v *pdp.Verdict) {
	v.Class = oneOf(r.member("class"), "", classes...)
	v.Retry = r.member("retry_seconds").seconds(24 * time.Hour)
	v.Reasons = readReasons(r.member("reasons"))
	v.Remember = readMemos(r.member("remember"), declared, pdp.OnAttempted, pdp.OnAllowed, pdp.OnDenied, pdp.OnDone, pdp.OnFailed)
	v.Charges = readCharges(r.member("charge"), declared)
	v.Labels = readLabels(r.member("labels"))
	v.WouldDeny = readWouldDeny(r.member("would_deny"))
	session := r.member("session")
	v.Session = pdp.Directive{
		Quarantine: session.member("quarantine").flag(),
		Close:      session.member("close").flag(),
		ExpiresIn:  session.member("expires_in").seconds(maxLife),
	}
	session.done()
}

func readReasons(r *reading) (reasons []pdp.Reason) {
	r.each(func(item *reading) {
		var reason pdp.Reason
		if item.of.Kind() == value.String {
			reason.Code = item.str()
		} else {
			reason = pdp.Reason{
				Code: item.member("code").str(), Message: item.member("message").str(), Controls: item.member("controls").strs(),
			}
			item.done()
		}
		if reason.Code == "" || len(reason.Code) > maxName {
			item.wrong("has no code, or one of more than %d bytes", maxName)
		}
		reasons = append(reasons, reason)
	})
	if len(reasons) > maxReasons {
		r.wrong("has more than %d items", maxReasons)
	}
	return reasons
}

// readMemos reads what is to be remembered; on says at which events, the
// first where the memo names none.
func readMemos(r *reading, declared *pdp.Declarations, events ...pdp.When) (memos []pdp.Memo) {
	r.each(func(item *reading) {
		memo := pdp.Memo{Fact: item.member("fact").str()}
		if key := item.member("key"); key.is(value.Array) {
			memo.Key = key.of.Copy().Items()
		}
		if memo.On = oneOf(item.member("on"), "", events...); memo.On == "" {
			item.member("on").wrong("is required: one of %s", join(events))
		}
		fact := declared.Facts[memo.Fact]
		if fact == nil {
			item.member("fact").wrong("names no fact that data.remit.memory declares")
		}
		memo.Values = readKept(item.member("value"), fact)
		item.done()
		memos = append(memos, memo)
	})
	if len(memos) > maxEffects {
		r.wrong("has more than %d items", maxEffects)
	}
	return memos
}

// readKept reads the values kept with a memo: up to 4 of a last, a number of
// a ring.
func readKept(r *reading, fact *pdp.Fact) []value.Value {
	switch {
	case fact == nil, !r.of.Defined():
		return nil
	case fact.Kind == pdp.FactRing:
		r.is(value.Number)
	case r.of.Kind() == value.Array:
		if r.of.Len() > 4 {
			r.wrong("has more than 4 items")
		}
		return r.of.Copy().Items()
	}
	return []value.Value{r.of.Copy()}
}

func readCharges(r *reading, declared *pdp.Declarations) (charges []pdp.Charge) {
	r.members(func(name string, n *reading) {
		if declared.Budgets[name] == nil {
			n.wrong("is no budget that data.remit.budgets declares")
		}
		charges = append(charges, pdp.Charge{Budget: name, N: n.integer(0, 1, math.MaxInt32)})
	})
	return charges
}

func readLabels(r *reading) []string {
	labels := r.strs()
	if len(labels) > maxEffects {
		r.wrong("has more than %d items", maxEffects)
	}
	for _, label := range labels {
		if label == "" || len(label) > maxName {
			r.wrong("holds a label that is empty or has more than %d bytes", maxName)
		}
	}
	return labels
}

// readAdmission reads what the admission rules said.
func readAdmission(result value.Value) (pdp.Admission, error) {
	r := readingOf(result)
	defer r.end()
	if result.Kind() != value.Map {
		r.wrong("the admission is of type %s, want object", result.Kind())
		return pdp.Admission{}, r.err()
	}
	a := pdp.Admission{
		Admit:     r.member("admit").flag(),
		Reasons:   readReasons(r.member("reasons")),
		Task:      pdp.NoTask,
		ExpiresIn: r.member("expires_in").seconds(maxLife),
		Idle:      r.member("idle").seconds(maxLife),
	}
	if !r.of.Get("admit").Defined() {
		r.wrong("does not say admit")
	}
	if task := r.member("task"); task.is(value.Map) {
		a.Task = task.of.Copy()
	}
	a.WouldDeny = readWouldDeny(r.member("would_deny"))
	a.InheritNone = oneOf(r.member("inherit"), "", "none", "labels") == "none"
	r.done()
	if err := r.err(); err != nil {
		return pdp.Admission{}, err
	}
	return a, nil
}

// readEffects reads what the outcome rules said.
func readEffects(result value.Value, declared *pdp.Declarations) (pdp.Effects, error) {
	r := readingOf(result)
	defer r.end()
	if result.Kind() != value.Map {
		r.wrong("the effects are of type %s, want object", result.Kind())
		return pdp.Effects{}, r.err()
	}
	fx := pdp.Effects{
		Remember: readMemos(r.member("remember"), declared, pdp.OnDone, pdp.OnFailed),
		Labels:   readLabels(r.member("labels")),
	}
	r.done()
	if err := r.err(); err != nil {
		return pdp.Effects{}, err
	}
	return fx, nil
}
