package telemetry

import (
	"errors"

	"github.com/remit-pdp/remit/pdp"
)

// cause says why an outcome settled nothing.
func cause(err error) string {
	switch {
	case errors.Is(err, pdp.ErrForged):
		return "forged"
	case errors.Is(err, pdp.ErrNotInFlight):
		return "not_in_flight"
	case errors.Is(err, pdp.ErrNotReady):
		return "not_ready"
	default:
		return "store"
	}
}
