package integration

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// A body that Envoy passes on and that makes a message above remit's limit is an
// outage to Envoy: 503, and nothing gets through. Below the limit it is decided.
func TestAMessageAboveTheLimit(t *testing.T) {
	s := startStack(t, "limits", func(o *harness.Options) {
		text, err := os.ReadFile(o.Remit)
		if err != nil {
			t.Fatal(err)
		}
		o.Remit = o.Dir + "/template.yaml"
		changed := strings.Replace(string(text), "  identity:", "  connections: { max_message_bytes: 524288 }\n  identity:", 1)
		if err := os.WriteFile(o.Remit, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		o.EnvoyReplace = append(o.EnvoyReplace, "max_request_bytes: 262144", "max_request_bytes: 900000")
	})
	client := s.Client(tokenFor(t, s, "user:large"))
	for size, want := range map[int]int{400_000: http.StatusForbidden, 600_000: http.StatusServiceUnavailable} {
		resp, err := client.Post("http://"+harness.APIHost+"/v1/nothing", "application/json", strings.NewReader(`"`+strings.Repeat("a", size)+`"`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%d bytes: %d, want %d", size, resp.StatusCode, want)
		}
	}
	if n := s.API.Calls.Load(); n != 0 {
		t.Errorf("%d requests got through", n)
	}
}
