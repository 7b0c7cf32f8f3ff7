package audit

import (
	"time"

	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// Gap returns the event that stands where events should be and cannot: whoever
// reads an export learns from it that the part of the journal between two positions
// is missing, and why. at is when it was noticed.
func Gap(from, to state.Position, why string, at time.Time) value.Value {
	return value.Obj(
		value.M("position", value.Int(int64(to))),
		value.M("timestamp", value.Str(at.UTC().Format(time.RFC3339Nano))),
		value.M("type", value.Str("gap")),
		value.M("labels", value.StrMap(map[string]string{"app": "remit"})),
		value.M("gap", value.Obj(
			value.M("from", value.Int(int64(from))),
			value.M("to", value.Int(int64(to))),
			value.M("reason", value.Str(why)))))
}
