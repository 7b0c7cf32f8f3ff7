package state_test

import (
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// A clock that is set back frees nothing and takes no time away: for what has
// happened time stands still until the clock is there again.
func TestAClockThatIsSetBack(t *testing.T) {
	const back = 3 * time.Hour
	r := newRoom(t, plan{}).claim("s")
	r.act(labelling("secret"))
	r.act(charges("window", 10))
	r.wait(10 * time.Minute)
	r.allowed()
	before := r.view(question{}).Session
	r.wait(-back)
	for _, passed := range []time.Duration{0, time.Minute, back - 2*time.Minute} {
		r.wait(passed)
		if d := r.act(charges("window", 1)); d.Class != pdp.BudgetSpent || d.Retry <= 0 {
			t.Errorf("%v after it was set back a spent budget answers %v, retry %v", passed, d.Class, d.Retry)
		}
		now := r.view(question{}).Session
		if age := whole(t, now.Get("age_seconds")); age != 600 {
			t.Errorf("%v after it was set back the session is %d s old", passed, age)
		}
		if id := now.Get("id").Text(); id != before.Get("id").Text() {
			t.Errorf("it is another session: %s", id)
		}
		r.expectLabel("after the clock was set back", "secret", true, false)
	}
	r.wait(20 * time.Minute) // beyond where it was, and the window
	if d := r.act(charges("window", 1)); d.Effect != pdp.Allow {
		t.Errorf("when the clock has caught up the budget is still spent: %+v", d.Reasons)
	}
}

// A clock that jumps ahead ends what time ends, and sheds nothing else; set right
// again it gives nothing a second time.
func TestAClockThatJumpsAhead(t *testing.T) {
	r := newRoom(t, plan{})
	r.act(labelling("secret"))
	r.act(charges("window", 10))
	first := r.view(question{}).Session.Get("id").Text()
	r.wait(5 * time.Hour)
	if d := r.act(charges("window", 10)); d.Effect != pdp.Allow {
		t.Fatalf("hours later the window has no room: %+v", d.Reasons)
	}
	if id := r.view(question{}).Session.Get("id").Text(); id == first {
		t.Error("the agent's own session is not over after hours without an action")
	}
	r.expectLabel("in the session after the jump", "secret", true, false)
	r.wait(-5 * time.Hour)
	if d := r.act(charges("window", 1)); d.Class != pdp.BudgetSpent {
		t.Errorf("set right again the budget has room: %v", d.Class)
	}
	r.expectLabel("set right again", "secret", true, false)
}

// A revocation counts on a clock that was set back, for as long as it should.
func TestARevocationOnAClockThatIsSetBack(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	r.allowed()
	r.revoke(pdp.RevokedAgent, "agent", time.Hour)
	r.wait(-24 * time.Hour)
	if code := r.denied(); code != pdp.CodeRevoked {
		t.Errorf("a day earlier the revoked agent is answered %q", code)
	}
	r.wait(25 * time.Hour)
	if code := r.denied(); code == pdp.CodeRevoked {
		t.Error("the revocation counts longer than it was to")
	}
}
