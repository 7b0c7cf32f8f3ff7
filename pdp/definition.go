package pdp

import (
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Definition is what is known of how a tool describes itself: what somebody
// reviewed, and what the server says now. The zero Definition knows nothing.
type Definition struct {
	Pinned string // digest of what was reviewed, from the catalog; "" is none
	Seen   string // digest of what the server was last seen to offer; "" is none
	SeenAt time.Time
	// Until is when Seen is too old to say that nothing has changed.
	Until time.Time
}

// DefinitionState says how a tool's definition stands to the reviewed one.
type DefinitionState string

// The states. What was changed when it was seen last stays changed; what is
// the same is so only for as long as the server is heard of.
const (
	DefinitionSame     DefinitionState = "same"
	DefinitionChanged  DefinitionState = "changed"
	DefinitionUnpinned DefinitionState = "unpinned" // nobody reviewed one
	DefinitionUnseen   DefinitionState = "unseen"   // what the server offers now is not known
)

// State returns how the definition stands at a moment.
func (d *Definition) State(now time.Time) DefinitionState {
	switch {
	case d.Pinned == "":
		return DefinitionUnpinned
	case d.Seen != "" && d.Seen != d.Pinned:
		return DefinitionChanged
	case d.Seen == "" || now.After(d.Until):
		return DefinitionUnseen
	default:
		return DefinitionSame
	}
}

// definitionFields is `input.target.definition`.
var definitionFields = value.NewFields(
	value.Field[Case]{Name: "state", Read: func(c *Case) value.Value { return value.Str(string(c.Action.Target.Definition.State(c.Now))) }},
	value.Field[Case]{Name: "pinned", Read: func(c *Case) value.Value { return value.OptStr(c.Action.Target.Definition.Pinned) }},
	value.Field[Case]{Name: "seen", Read: func(c *Case) value.Value { return value.OptStr(c.Action.Target.Definition.Seen) }},
	value.Field[Case]{Name: "seen_age_seconds", Read: func(c *Case) value.Value {
		if c.Action.Target.Definition.Seen == "" {
			return value.Nothing
		}
		return seconds(c.Now.Sub(c.Action.Target.Definition.SeenAt))
	}},
)
