package doctor

import (
	"fmt"
	"time"

	"github.com/remit-pdp/remit/pdp/identity"
)

// noticeable is how far clocks may be apart before somebody should know.
const noticeable = time.Second

// clock compares this machine's clock with those at hand: of the issuers, of
// Envoy, and the one that the journal was written by.
func clock(s *signs) (found []Finding) {
	compare := func(whose string, c *identity.Clock) {
		if c != nil {
			found = append(found, compared(whose, c.Off(), tolerance(s)))
		}
	}
	for _, issuer := range s.issuers {
		compare("issuer "+issuer.Issuer, issuer.Clock)
	}
	compare("Envoy at "+s.proxy.from, s.proxy.clock)
	if ahead := s.end.Newest.Sub(s.now); !s.end.Newest.IsZero() && ahead > noticeable {
		found = append(found, wrong(Error, fmt.Sprintf("the journal's newest entry is %s in the future", ahead.Round(time.Second)), s.end.Path,
			"this clock was set back: until it gets there again, ages of sessions, windows of budgets and ends of revocations stand still", "set the clock by NTP (timedatectl); do not touch the journal"))
	}
	if len(found) == 0 {
		found = append(found, good("nothing at hand to compare the clock with but the journal, which is not ahead of it", ""))
	}
	return found
}

func compared(whose string, off, allowed time.Duration) Finding {
	what := fmt.Sprintf("its clock is %s ahead of this one", off)
	if off < 0 {
		what = fmt.Sprintf("its clock is %s behind this one", -off)
	}
	const remedy = "set both clocks by NTP (timedatectl, chronyc tracking)"
	switch {
	case off.Abs() > allowed:
		return wrong(Error, what, whose, fmt.Sprintf("tokens are taken for expired or not valid yet: more than the skew of %s", allowed), remedy)
	case off.Abs() > noticeable:
		return wrong(Warning, what, whose, fmt.Sprintf("the skew of %s is used up by the clocks", allowed), remedy)
	}
	return good("its clock and this one agree", whose)
}

// tolerance is the smallest skew that a listener allows.
func tolerance(s *signs) time.Duration {
	smallest := 5 * time.Minute // more cannot be configured
	for i := range s.config.Listeners {
		id := &s.config.Listeners[i].Identity
		if id.JWT != nil {
			smallest = min(smallest, id.JWT.Skew.D())
		}
		if id.EnvoyJWT != nil {
			smallest = min(smallest, id.EnvoyJWT.Skew.D())
		}
		if id.SPIFFE != nil {
			smallest = min(smallest, id.SPIFFE.Skew.D())
		}
		if id.XFCC != nil {
			smallest = min(smallest, id.XFCC.Skew.D())
		}
	}
	return smallest
}
