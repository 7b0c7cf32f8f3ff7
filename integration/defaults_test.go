package integration

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
)

// What a user copies and what remit does by default fit each other.
func TestEnvoysConfigurationFitsTheDefaults(t *testing.T) {
	c, err := config.Parse([]byte("listeners: [ { name: a, address: \"unix:a\", identity: { none: true } } ]\npolicy: { bundle: p }\n"))
	if err != nil {
		t.Fatal(err)
	}
	limits := c.Listeners[0].Connections
	setting := func(file, pattern string) string {
		text, err := os.ReadFile("envoy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no %s", file, pattern)
		}
		return string(found[1])
	}
	number := func(file, pattern string) int {
		n, err := strconv.Atoi(setting(file, pattern))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, file := range []string{"envoy.yaml", "mtls.yaml"} {
		if ping, err := time.ParseDuration(setting(file, `connection_keepalive: \{ interval: (\w+)`)); err != nil || ping < limits.MinPing.D() {
			t.Errorf("%s pings every %s (%v), remit disconnects below %s", file, ping, err, limits.MinPing.D())
		}
	}
	if body := number("envoy.yaml", `max_request_bytes: (\d+)`); limits.MaxMessage < body+256<<10 {
		t.Errorf("a body of %d bytes does not fit into a message of %d", body, limits.MaxMessage)
	}
	every, err := time.ParseDuration(setting("mtls.yaml", `\n      interval: (\w+)`))
	if noticed := every * time.Duration(number("mtls.yaml", `unhealthy_threshold: (\d+)`)); err != nil || noticed >= c.Shutdown.Pause.D() {
		t.Errorf("Envoy notices after %s (%v), the pause is %s", noticed, err, c.Shutdown.Pause.D())
	}
	if c.Outcomes.Connections.MaxAge.D() < 100*limits.MaxAge.D() {
		t.Errorf("streams of outcomes are closed after %s", c.Outcomes.Connections.MaxAge.D())
	}
}
