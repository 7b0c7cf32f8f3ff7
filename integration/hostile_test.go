package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/integration/sample"
)

// A hostile request is sent byte for byte: no client library repairs it.
type hostile struct {
	name    string
	line    string   // method and target
	host    string   // [harness.APIHost] where it is empty
	headers []string // besides host and, where none is here, authorization
	body    string
	// What must become of it behind the Envoy of integration/envoy, behind
	// Istio's defaults and behind the configuration of integration/istio.
	envoy, bare, copied fate
}

// fate is what the client gets, who decided so, and what the server behind got.
type fate struct {
	status int
	by     string // remit or the proxy
	target string // path and query that reached the server; "" where nothing may
}

// Who refuses: remit says so in its answer; the proxy does it by itself.
const (
	remit = "remit"
	proxy = "the proxy"
)

// passes is the fate of a request that reaches the API as target.
func passes(target string) fate { return fate{http.StatusOK, remit, target} }

// refused is the fate of one that reaches nothing.
func refused(status int, by string) fate { return fate{status, by, ""} }

// run sends the request and compares.
func (h hostile) run(t *testing.T, s *harness.Stack, want fate) {
	t.Run(h.name+": "+h.line, func(t *testing.T) {
		reached, stamped := s.API.Requests()+s.Tools.Requests(), s.API.Stamped.Load()+s.Tools.Stamped.Load()
		got, answer := h.send(t, s)
		if s.API.Requests()+s.Tools.Requests() == reached {
			got.target = ""
		}
		if s.API.Stamped.Load()+s.Tools.Stamped.Load() > stamped {
			got.by = remit
		}
		t.Logf("%+v", got)
		if got != want {
			t.Errorf("want %+v, got\n%s", want, answer)
		}
	})
}

// send writes the request to Envoy, for a person of its own, and reads the
// answer. The target is what the API says that it got, "reached" where nothing
// says so.
func (h hostile) send(t *testing.T, s *harness.Stack) (got fate, answer []byte) {
	t.Helper()
	token := sampleToken(t, s, "user:"+t.Name())
	conn, err := net.DialTimeout("tcp", s.Envoy.Address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(conn, h.text(token))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	got = fate{resp.StatusCode, proxy, "reached"}
	if strings.Contains(string(answer), `"decision_id":`) { // every denial names its decision
		got.by = remit
	}
	var told harness.Echo
	if err := json.Unmarshal(answer, &told); err != nil {
		return got, answer
	}
	if told.Target != "" {
		got.target = told.Target
	}
	for name := range told.Headers {
		if name != "X-Remit-Decision" && strings.Contains(strings.ToLower(name), "remit") {
			t.Errorf("the API also got %s", name)
		}
	}
	return got, answer
}

// text is the request as it is sent. An authorization of its own replaces the
// sample agent's; one without a value is none.
func (h hostile) text(token string) string {
	host := h.host
	if host == "" {
		host = harness.APIHost
	}
	lines := []string{h.line + " HTTP/1.1", "host: " + host}
	if !slices.ContainsFunc(h.headers, func(line string) bool { return strings.HasPrefix(line, "authorization:") }) {
		lines = append(lines, "authorization: Bearer "+token)
	}
	for _, line := range h.headers {
		if line != "authorization:" {
			lines = append(lines, strings.ReplaceAll(line, "TOKEN", token))
		}
	}
	if h.body != "" && !slices.ContainsFunc(h.headers, func(line string) bool { return strings.HasPrefix(line, "content-length:") }) {
		lines = append(lines, fmt.Sprint("content-length: ", len(h.body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + h.body
}

// sampleToken is a token of the sample agent acting for person.
func sampleToken(t *testing.T, s *harness.Stack, person string) string {
	t.Helper()
	token, err := s.Issuer.Token(sample.Agent, person, "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func everythingWasDecided(t *testing.T, s *harness.Stack) {
	t.Helper()
	if n := s.Tools.Unstamped.Load() + s.API.Unstamped.Load(); n != 0 {
		t.Errorf("%d requests reached a server without a decision", n)
	}
}
