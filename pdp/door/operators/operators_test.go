package operators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// A clerk notes the orders it is given and answers what a test says.
type clerk struct {
	orders   []pdp.RevocationOrder
	sessions []pdp.SessionOrder
	// remembered is how many sessions there are.
	remembered int
	err        error
}

func (c *clerk) Order(_ context.Context, o pdp.SessionOrder) (pdp.SessionAcknowledgement, error) {
	c.sessions = append(c.sessions, o)
	return pdp.SessionAcknowledgement{ID: "o_1", Order: o, At: time.Unix(1_800_000_001, 0), OwnSession: true,
		RefusedUntil: time.Unix(1_800_000_002, 0), KeptBy: []string{"s_2"}, Carried: true}, c.err
}

func (c *clerk) Revoke(_ context.Context, o pdp.RevocationOrder) (pdp.Acknowledgement, error) {
	c.orders = append(c.orders, o)
	return pdp.Acknowledgement{Sessions: 3, At: time.Unix(1_800_000_001, 0), Revocation: pdp.Revocation{
		ID: "r_1", Kind: o.Kind, Subject: o.Subject, Actor: o.Actor, Reason: o.Reason, At: time.Unix(1_800_000_000, 0)}}, c.err
}

func (c *clerk) Lift(ctx context.Context, o pdp.RevocationOrder) (pdp.Acknowledgement, error) {
	return c.Revoke(ctx, o)
}

func (c *clerk) Session(_ context.Context, id string) (json.RawMessage, error) {
	if id != "s_1" {
		return nil, fmt.Errorf("session %s: %w", id, pdp.ErrNoSuchSession)
	}
	return json.RawMessage(`{"id":"s_1"}`), c.err
}

func (c *clerk) Sessions(_ context.Context, visit func(json.RawMessage) error) error {
	for range c.remembered {
		if err := visit(json.RawMessage(`{"id":"s_1"}`)); err != nil {
			return err
		}
	}
	return c.err
}

func (c *clerk) Revocations() []pdp.Revocation {
	return []pdp.Revocation{{ID: "r_1", Kind: pdp.RevokedAgent, Subject: "agent", Until: time.Unix(1_800_000_000, 0)}}
}

// quiet is a door that tells nobody.
func quiet(c *clerk, network *Network) *Server {
	return NewServer(Settings{Revoker: c, Keeper: c, Sessions: c, Network: network, Told: func(string, error) {}, Refused: func(string, error) {}})
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
	s := quiet(c, nil)
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

// The path says what is to be done to a session, the body to which and why, and
// the kernel who orders it.
func TestOrdersAboutASession(t *testing.T) {
	c := &clerk{}
	client, _ := serve(t, c)
	for kind, label := range map[pdp.SessionOrderKind]string{pdp.CloseSession: "", pdp.ReleaseSession: "", pdp.ClearLabel: "secret"} {
		c.sessions = nil
		a, err := client.OrderSession(t.Context(), kind, SessionOrder{Session: "s_1", Label: label, Reason: "looked at"})
		if err != nil || a.ID != "o_1" || a.Kind != string(kind) || a.Session != "s_1" || a.Label != label || a.Reason != "looked at" ||
			a.AcknowledgedAt.Unix() != 1_800_000_001 || !a.OwnSession || a.RefusedUntil.Unix() != 1_800_000_002 || a.KeptBy[0] != "s_2" || !a.Carried {
			t.Errorf("%s: %+v, %v", kind, a, err)
		}
		want := pdp.SessionOrder{Kind: kind, Session: "s_1", Label: label, Reason: "looked at", Actor: a.Actor}
		if !slices.Equal(c.sessions, []pdp.SessionOrder{want}) || !strings.Contains(a.Actor, fmt.Sprintf("uid %d", os.Geteuid())) {
			t.Errorf("%s: the order is %+v, want %+v", kind, c.sessions, want)
		}
	}
	if len(sessionRoles) != len(pdp.SessionOrderKinds) {
		t.Errorf("%d kinds of orders have a role, there are %d", len(sessionRoles), len(pdp.SessionOrderKinds))
	}
}

// What is shown is what there is, and says where it is not all.
func TestSessionsAreShown(t *testing.T) {
	c := &clerk{remembered: 2}
	client, _ := serve(t, c)
	if list, err := client.Sessions(t.Context()); err != nil || len(list.Sessions) != 2 || list.Truncated {
		t.Errorf("listed %+v, %v", list, err)
	}
	if shown, err := client.Session(t.Context(), "s_1"); err != nil || string(shown) != `{"id":"s_1"}` {
		t.Errorf("shown %s, %v", shown, err)
	}
	for _, id := range []string{"s_2", "s_1/x", "../revocations"} {
		if shown, err := client.Session(t.Context(), id); err == nil || !strings.Contains(err.Error(), "session "+id) {
			t.Errorf("%s: shown %s, %v", id, shown, err)
		}
	}
	c.remembered = maxListed + 1
	if list, err := client.Sessions(t.Context()); err != nil || len(list.Sessions) != maxListed || !list.Truncated {
		t.Errorf("listed %d, %v", len(list.Sessions), err)
	}
	c.remembered, c.err = 1, errors.New("the state cannot be read")
	if list, err := client.Sessions(t.Context()); err == nil {
		t.Errorf("listed %+v", list)
	}
}

// post sends a body to a path as it stands and returns what was answered.
func post(t *testing.T, client *Client, path, body string) (status int, contentType string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://remit"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode, response.Header.Get("content-type")
}

// Orders that are not read in exactly one way are not carried out.
func TestOrdersAreReadStrictly(t *testing.T) {
	c := &clerk{}
	client, _ := serve(t, c)
	for name, body := range map[string]string{
		"not JSON":         `session=s`,
		"twice":            `{"session":"s","session":"t","reason":"x"}`,
		"in two cases":     `{"session":"s","Session":"t","reason":"x"}`,
		"an actor":         `{"session":"s","reason":"x","actor":"root"}`,
		"a kind":           `{"session":"s","reason":"x","kind":"release"}`,
		"two orders":       `{"session":"s","reason":"x"}{}`,
		"a list of labels": `{"session":"s","label":["a","b"],"reason":"x"}`,
		"too long":         `{"reason":"` + strings.Repeat("x", maxBody) + `"}`,
	} {
		for kind := range sessionRoles {
			if status, contentType := post(t, client, pathSessions+string(kind), body); status != http.StatusBadRequest || contentType != "application/problem+json" {
				t.Errorf("%s, %s: %d", kind, name, status)
			}
		}
	}
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
		if status, contentType := post(t, client, pathRevocations, body); status != http.StatusBadRequest || contentType != "application/problem+json" {
			t.Errorf("%s: %d", name, status)
		}
	}
	if len(c.orders)+len(c.sessions) != 0 {
		t.Errorf("carried out: %+v %+v", c.orders, c.sessions)
	}
	for path, want := range map[string]int{pathSessions + "end": http.StatusMethodNotAllowed, pathSessions: http.StatusNotFound} {
		if status, _ := post(t, client, path, `{"session":"s","reason":"x"}`); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
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
	for err, status := range map[error]int{
		pdp.ErrNotRevoked: http.StatusNotFound, pdp.ErrNoSuchLabel: http.StatusNotFound,
		pdp.ErrSessionEnded: http.StatusConflict, pdp.ErrNotQuarantined: http.StatusConflict,
	} {
		if got := statusOf(fmt.Errorf("it: %w", err)); got != status {
			t.Errorf("%v has status %d, want %d", err, got, status)
		}
	}
	c.err = fmt.Errorf("session s: %w", pdp.ErrNotQuarantined)
	if a, got := client.OrderSession(t.Context(), pdp.ReleaseSession, SessionOrder{Session: "s", Reason: "x"}); got == nil || got.Error() != c.err.Error() || a.ID != "" {
		t.Errorf("the operator is told %v, want %v", got, c.err)
	}
}

// A remit that does not run says so.
func TestNobodyAnswers(t *testing.T) {
	_, err := NewClient(filepath.Join(t.TempDir(), "none.sock")).Revoke(t.Context(), Order{Kind: "everything", Reason: "x"})
	if err == nil || !strings.Contains(err.Error(), "is remit serve running") {
		t.Errorf("got %v", err)
	}
}

// Whatever is read is all there was, and a time is one that can be.
func FuzzReadOrder(f *testing.F) {
	f.Add(`{"kind":"agent","subject":"a","reason":"x","for_seconds":60}`)
	f.Add(`{"session":"s","label":"secret","reason":"x"}`)
	f.Fuzz(func(t *testing.T, body string) {
		same[SessionOrder](t, body)
		o, read := same[Order](t, body)
		if !read {
			return
		}
		_, err := revoking((&clerk{}).Revoke)(t.Context(), o, "ada")
		if inTime := o.ForSeconds >= 0 && o.ForSeconds <= int64(maxFor/time.Second); (err == nil) != inTime {
			t.Errorf("%q lasts %d s: %v", body, o.ForSeconds, err)
		}
	})
}

// same reads an order, and what is written of it again.
func same[O comparable](t *testing.T, body string) (o O, is bool) {
	o, err := read[O](strings.NewReader(body))
	if err != nil {
		return o, false
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read[O](bytes.NewReader(text)); err != nil || again != o {
		t.Errorf("%q is read as %+v and then as %+v: %v", body, o, again, err)
	}
	return o, true
}
