package operators

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// A clerk notes the orders it is given and answers what a test says.
type clerk struct {
	orders []pdp.RevocationOrder
	err    error
}

func (c *clerk) Revoke(_ context.Context, o pdp.RevocationOrder) (pdp.Acknowledgement, error) {
	c.orders = append(c.orders, o)
	return pdp.Acknowledgement{Sessions: 3, At: time.Unix(1_800_000_001, 0), Revocation: pdp.Revocation{
		ID: "r_1", Kind: o.Kind, Subject: o.Subject, Actor: o.Actor, Reason: o.Reason, At: time.Unix(1_800_000_000, 0)}}, c.err
}

func (c *clerk) Lift(ctx context.Context, o pdp.RevocationOrder) (pdp.Acknowledgement, error) {
	return c.Revoke(ctx, o)
}

func (c *clerk) Revocations() []pdp.Revocation {
	return []pdp.Revocation{{ID: "r_1", Kind: pdp.RevokedAgent, Subject: "agent", Until: time.Unix(1_800_000_000, 0)}}
}

func serve(t *testing.T, c *clerk) (client *Client, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "remit-") // short: a socket's path has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "o.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(c, func(string, error) {})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(context.Background()), <-ended); err != nil {
			t.Error(err)
		}
	})
	return NewClient(socket), socket
}

// The actor is who the kernel says, whatever the order says.
func TestTheActorIsTheCaller(t *testing.T) {
	c := &clerk{}
	client, _ := serve(t, c)
	a, err := client.Revoke(t.Context(), Order{Kind: "agent", Subject: "agent", Issuer: "idp", Reason: "hijacked", ForSeconds: 60})
	if err != nil || a.OpenSessions == nil || *a.OpenSessions != 3 || a.Revocation.ID != "r_1" || a.AcknowledgedAt.Unix() != 1_800_000_001 {
		t.Fatalf("got %+v, %v", a, err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := pdp.RevocationOrder{Kind: pdp.RevokedAgent, Subject: "agent", Issuer: "idp", Reason: "hijacked",
		Actor: fmt.Sprintf("%s (uid %s)", me.Username, me.Uid), For: time.Minute}
	if len(c.orders) != 1 || c.orders[0] != want {
		t.Errorf("the order is %+v, want %+v", c.orders, want)
	}
	if _, err := client.Lift(t.Context(), Order{Kind: "everything", Reason: "over"}); err != nil {
		t.Error(err)
	}
	all, err := client.List(t.Context())
	if err != nil || len(all.Revocations) != 1 || all.Revocations[0].Until == nil {
		t.Errorf("listed %+v, %v", all, err)
	}
}

// Orders that are not read in exactly one way are not carried out.
func TestOrdersAreReadStrictly(t *testing.T) {
	c := &clerk{}
	client, _ := serve(t, c)
	for name, body := range map[string]string{
		"not JSON":              `kind=agent`,
		"twice":                 `{"kind":"agent","subject":"a","subject":"b","reason":"x"}`,
		"in two cases":          `{"kind":"agent","subject":"a","Subject":"b","reason":"x"}`,
		"an actor":              `{"kind":"agent","subject":"a","reason":"x","actor":"root"}`,
		"an unknown member":     `{"kind":"agent","subject":"a","reason":"x","for":"1h"}`,
		"two orders":            `{"kind":"agent","subject":"a","reason":"x"}{}`,
		"a negative time":       `{"kind":"agent","subject":"a","reason":"x","for_seconds":-1}`,
		"a time beyond numbers": `{"kind":"agent","subject":"a","reason":"x","for_seconds":10000000000}`,
		"too long":              `{"reason":"` + strings.Repeat("x", maxBody) + `"}`,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://remit"+pathRevocations, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest || response.Header.Get("content-type") != "application/problem+json" {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
	if len(c.orders) != 0 {
		t.Errorf("carried out: %+v", c.orders)
	}
}

// What went wrong has a status, and the reason reaches the operator.
func TestRefusalsSayWhy(t *testing.T) {
	c := &clerk{}
	client, _ := serve(t, c)
	for status, err := range map[int]error{
		http.StatusBadRequest:         fmt.Errorf("no reason: %w", pdp.ErrBadOrder),
		http.StatusNotFound:           fmt.Errorf("session s: %w", pdp.ErrNoSuchSession),
		http.StatusServiceUnavailable: errors.New("the disk is full"),
	} {
		if got := statusOf(err); got != status {
			t.Errorf("%v has status %d, want %d", err, got, status)
		}
		c.err = err
		if _, got := client.Revoke(t.Context(), Order{Kind: "agent", Subject: "a", Reason: "x"}); got == nil || got.Error() != err.Error() {
			t.Errorf("the operator is told %v, want %v", got, err)
		}
	}
	if got := statusOf(pdp.ErrNotRevoked); got != http.StatusNotFound {
		t.Errorf("lifting nothing has status %d", got)
	}
}

// Nobody is not an operator, nor is another user, whatever the socket's mode.
func TestWhoMay(t *testing.T) {
	for name, c := range map[string]struct {
		caller caller
		may    bool
	}{
		"the user who runs remit": {caller{uid: uint32(os.Geteuid())}, true},
		"root":                    {caller{}, true},
		"another user":            {caller{uid: uint32(os.Geteuid()) + 1}, false},
		"nobody knows who":        {caller{err: errors.New("no credentials")}, false},
	} {
		if err := c.caller.may(mayRevoke); (err == nil) != c.may {
			t.Errorf("%s: %v", name, err)
		}
	}
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if err := peer(one).may(mayView); err == nil {
		t.Error("a connection that is not a socket has a role")
	}
	s := NewServer(&clerk{}, func(string, error) {})
	answer := &recorder{header: make(http.Header)}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, pathRevocations, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.http.Handler.ServeHTTP(answer, request)
	if answer.status != http.StatusForbidden {
		t.Errorf("a call without a caller: %d", answer.status)
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// A remit that does not run says so.
func TestNobodyAnswers(t *testing.T) {
	_, err := NewClient(filepath.Join(t.TempDir(), "none.sock")).Revoke(t.Context(), Order{Kind: "everything", Reason: "x"})
	if err == nil || !strings.Contains(err.Error(), "is remit serve running") {
		t.Errorf("got %v", err)
	}
}

func FuzzReadOrder(f *testing.F) {
	f.Add(`{"kind":"agent","subject":"a","reason":"x","for_seconds":60}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := readOrder(strings.NewReader(body))
		if err == nil && (o.ForSeconds < 0 || o.ForSeconds > int64(maxFor/time.Second)) {
			t.Errorf("%q lasts %d s", body, o.ForSeconds)
		}
	})
}
