package server

import (
	"errors"
	"fmt"
	"slices"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
)

// observesNothing reports the listeners and systems in `data.remit.observe`
// that there are not: with a misspelt name the wrong place would be enforced.
func observesNothing(c *config.Config, b *bundles.Bundle, observe pdp.Observe) error {
	var problems []error
	wrong := func(kind, name, remedy string) {
		file, line := b.Locate("remit", "observe", kind)
		problems = append(problems, fmt.Errorf("%s:%d: data.remit.observe.%s: there is no %q; %s", file, line, kind, name, remedy))
	}
	for name := range observe.Listeners {
		if !slices.ContainsFunc(c.Listeners, func(l config.Listener) bool { return l.Name == name }) {
			wrong("listeners", name, "name one of the configuration's listeners")
		}
	}
	systems := b.Data.Path("remit", "catalog", "systems")
	for name := range observe.Systems {
		if !systems.Get(name).Defined() {
			wrong("systems", name, "name one of data.remit.catalog.systems")
		}
	}
	return errors.Join(problems...)
}
