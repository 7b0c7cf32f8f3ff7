package identity_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/identity"
)

func TestClock(t *testing.T) {
	sent := time.Date(2026, 1, 1, 12, 0, 0, 600e6, time.UTC)
	received := sent.Add(100 * time.Millisecond)
	for _, c := range []struct {
		date, age string
		want      time.Duration
	}{
		{"Thu, 01 Jan 2026 12:00:00 GMT", "", 0},
		{"Thu, 01 Jan 2026 11:59:50 GMT", "10", 0},
		{"Thu, 01 Jan 2026 11:59:59 GMT", "", -600 * time.Millisecond},
		{"Thu, 01 Jan 2026 12:00:02 GMT", "", 1300 * time.Millisecond},
	} {
		clock, said := identity.ReadClock(http.Header{"Date": {c.date}, "Age": {c.age}}, sent, received)
		if got := clock.Off(); !said || got != c.want {
			t.Errorf("%+v: %s, %t", c, got, said)
		}
	}
	if _, said := identity.ReadClock(http.Header{}, sent, received); said {
		t.Error("no date is a clock")
	}
}
