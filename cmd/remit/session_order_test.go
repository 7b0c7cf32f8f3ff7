package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/operators"
	"github.com/remit-pdp/remit/pdp/revocation"
	"github.com/remit-pdp/remit/pdp/sessions"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// served is a state directory that is open, and the operators' door to its
// sessions, as a remit that serves has them; config names both.
func served(t *testing.T) (store *localstore.Store, config string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "remit-") // short: a socket's path has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	seed, err := localstore.LoadOrCreateSeed(data)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	if store, err = localstore.Open(data, localstore.Options{Keys: keys, SegmentBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(data, "operators.sock"))
	if err != nil {
		t.Fatal(err)
	}
	door := operators.NewServer(operators.Settings{Revoker: revocation.New(store, time.Now), Keeper: sessions.New(store, time.Now), Told: func(string, error) {}})
	go door.Serve(l)
	t.Cleanup(func() {
		if err := errors.Join(door.Shutdown(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	config = filepath.Join(dir, "remit.yaml")
	write(t, config, "listeners:\n- { name: agents, address: \"unix:authz.sock\", identity: { none: true } }\npolicy: { bundle: policy }\nstate: { dir: data }\n")
	return store, config
}

// begin begins a session with a label, in quarantine or not, in the partition
// that all of them share.
func begin(t *testing.T, store *localstore.Store, id string, own, quarantined bool) {
	t.Helper()
	held, err := store.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	e := statetest.Entry(held.State(), "d_"+id)
	e.Effects.Session, e.Effects.Labels, e.Effects.Quarantine = id, []string{"secret"}, quarantined
	e.Effects.Open = &state.Opening{ID: id, Ref: state.Ref{By: state.ByClaim, Name: id}, Shared: own, Task: `{}`, Expires: e.At + int64(time.Hour)}
	if err := held.Commit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// An operator's orders: each says what counts now and since when, shows in the
// session and in the log, and the journal verifies.
func TestOrdersAboutASession(t *testing.T) {
	store, config := served(t)
	for _, id := range []string{"s_one", "s_two", "s_own", "s_caged"} {
		begin(t, store, id, strings.Contains("s_own s_caged", id), id == "s_one" || id == "s_caged")
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"release", "s_one"}, []string{"released: session s_one, acknowledged 2", "it goes on", "id o_", "by "}},
		{[]string{"clear-label", "s_one", "secret"}, []string{"cleared: secret off session s_one, acknowledged 2", "kept by what picked it up itself: s_caged, s_own, s_two", "have it from there"}},
		{[]string{"clear-label", "s_two", "secret"}, []string{"kept by what picked it up itself: s_caged, s_own;"}},
		{[]string{"clear-label", "s_own", "secret"}, []string{"s_caged;"}},
		{[]string{"clear-label", "s_caged", "secret"}, []string{"no session of the agent has it any more"}},
		{[]string{"close", "s_one"}, []string{"closed: session s_one, acknowledged 2", "refused from now on"}},
		{[]string{"close", "s_own"}, []string{"asks to be admitted to a new one"}},
		{[]string{"close", "s_caged"}, []string{"was in quarantine", "is refused until 2"}},
	} {
		args := append([]string{"session"}, c.args...)
		out := says(t, false, append(args, "-c", config, "--reason", "looked at, 4711"), c.want...)
		at := regexp.MustCompile(`acknowledged (\S+)\n`).FindStringSubmatch(out)
		if since, err := time.Parse(time.RFC3339Nano, at[1]); err != nil || time.Since(since) > time.Minute {
			t.Errorf("it does not say since when: %q", out)
		}
		id := regexp.MustCompile(`o_[a-z0-9]{16}`).FindString(out)
		says(t, false, []string{"log", "show", id, "-c", config}, `"type": "order"`, `"kind": "`+c.args[0]+`"`, `"reason": "looked at, 4711"`)
	}
	says(t, false, []string{"log", "tail", "-n", "0", "-c", config}, "RELEASED   session s_one  by ", "CLEARED    secret off session s_two  by ", "CLOSED     session s_own  by ", ": looked at, 4711  (o_")
	says(t, false, []string{"session", "show", "s_one", "-c", config}, `"state": "ended"`, `"labels": {}`)
	says(t, false, []string{"log", "verify", "-c", config}, "as it was written: 12 entries")
}

// What does not fit, or looks as if it were an order and is none, is an error.
func TestOrdersThatAreNone(t *testing.T) {
	store, config := served(t)
	begin(t, store, "s_one", false, false)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"close", "s_none", "--reason", "x"}, "no such session"},
		{[]string{"release", "s_one", "--reason", "x"}, "not in quarantine"},
		{[]string{"clear-label", "s_one", "pii", "--reason", "x"}, "no such label"},
		{[]string{"clear-label", "s_one", "--reason", "x"}, "accepts 2 arg"},
		{[]string{"close", "s_one", "secret", "--reason", "x"}, "accepts 1 arg"},
		{[]string{"close", "s_one"}, "required flag"},
		{[]string{"close", "s_one", "--reason", ""}, "gives no reason"},
		{[]string{"end", "s_one"}, "unknown command"},
	} {
		says(t, true, append(append([]string{"session"}, c.args...), "-c", config), c.want)
	}
	says(t, false, []string{"log", "verify", "-c", config}, "1 entries")
}
