package pdp_test

import (
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// What is looked up once is looked up again where the case is about somebody, or
// something, else.
func TestInputFollowsItsCase(t *testing.T) {
	agents := value.Obj(value.M("ada", value.Obj(value.M("tier", value.Int(1)))), value.M("bob", value.Obj(value.M("tier", value.Int(2)))))
	c := &pdp.Case{Envelope: &pdp.Envelope{}, Generation: &pdp.Generation{Declared: &pdp.Declarations{}, Agents: agents}}
	for i, agent := range []string{"", "ada", "bob", "eve", "ada"} {
		c.Agent.ID, c.Action.Digest = agent, [32]byte{byte(i)}
		for range 2 {
			input := c.Input()
			if got, want := input.Path("agent", "profile", "tier"), agents.Path(agent, "tier"); !value.Equal(got, want) {
				t.Errorf("%q has the profile of tier %v, want %v", agent, got, want)
			}
			if known, _ := input.Path("agent", "registered").Bool(); known != agents.Get(agent).Defined() {
				t.Errorf("%q is registered: %v", agent, known)
			}
			if got, want := input.Path("action", "digest").Text(), "0"+string('0'+rune(i)); len(got) != 64 || got[:2] != want {
				t.Errorf("the digest is %q, want %s…", got, want)
			}
		}
	}
}
