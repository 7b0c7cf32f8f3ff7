package revocation_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/revocation"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

func newStore(t *testing.T) *statetest.Faulty {
	t.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := localstore.Open(t.TempDir(), localstore.Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return statetest.NewFaulty(store)
}

func order(kind pdp.RevocationKind, subject string) pdp.RevocationOrder {
	return pdp.RevocationOrder{Kind: kind, Subject: subject, Reason: "hijacked", Actor: "ada"}
}

// An order is carried out, acknowledged with what it covers, listed, lifted.
func TestAnOrder(t *testing.T) {
	store := newStore(t)
	r := revocation.New(store, time.Now)
	for n := range 3 {
		if err := statetest.Commit(t.Context(), store, statetest.Key(n), "x"); err != nil {
			t.Fatal(err)
		}
	}
	o := order(pdp.RevokedAgent, "agent")
	o.For = time.Hour
	a, err := r.Revoke(t.Context(), o)
	if err != nil || a.Sessions != 3 || a.OwnSession || !strings.HasPrefix(a.Revocation.ID, "r_") || a.Revocation.Until.Sub(a.Revocation.At) != time.Hour ||
		a.At.Before(a.Revocation.At) || a.Revocation.Actor != "ada" || a.Revocation.Reason != "hijacked" {
		t.Errorf("got %+v, %v", a, err)
	}
	var revoked *state.RevokedError
	if err := statetest.Commit(t.Context(), store, statetest.Key(1), "x"); !errors.As(err, &revoked) || revoked.By.ID != a.Revocation.ID {
		t.Errorf("after the acknowledgement: %v", err)
	}
	if all := r.Revocations(); len(all) != 1 || all[0].ID != a.Revocation.ID {
		t.Errorf("listed: %+v", all)
	}
	o = order(pdp.RevokedAgent, "agent")
	o.Actor, o.Reason = "bob", "rebuilt"
	lifted, err := r.Lift(t.Context(), o)
	if err != nil || lifted.Revocation.ID != a.Revocation.ID || lifted.Revocation.Actor != "bob" {
		t.Errorf("lifted: %+v, %v", lifted, err)
	}
	if err := statetest.Commit(t.Context(), store, statetest.Key(1), "x"); err != nil {
		t.Errorf("after lifting: %v", err)
	}
	if _, err := r.Lift(t.Context(), o); !errors.Is(err, pdp.ErrNotRevoked) {
		t.Errorf("lifting twice: %v", err)
	}
}

// A session must be there to be revoked, and its point lasts as long as the
// session's name is remembered.
func TestASessionsOrder(t *testing.T) {
	store := newStore(t)
	r := revocation.New(store, time.Now)
	if err := statetest.Commit(t.Context(), store, statetest.Key(1), "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Revoke(t.Context(), order(pdp.RevokedSession, "s_none")); !errors.Is(err, pdp.ErrNoSuchSession) {
		t.Errorf("a session that is not there: %v", err)
	}
	a, err := r.Revoke(t.Context(), order(pdp.RevokedSession, "s"))
	if err != nil || a.Sessions != 1 || a.Revocation.Until.Before(time.Now().Add(31*24*time.Hour)) {
		t.Errorf("got %+v, %v", a, err)
	}
}

// What cannot be written is not acknowledged.
func TestAFailingStoreAcknowledgesNothing(t *testing.T) {
	store := newStore(t)
	store.Fail(func(op statetest.Op, _ int) error {
		if op == statetest.OnRevoke {
			return state.ErrUnavailable
		}
		return nil
	})
	r := revocation.New(store, time.Now)
	if a, err := r.Revoke(t.Context(), order(pdp.RevokedEverything, "")); !errors.Is(err, state.ErrUnavailable) || !strings.Contains(err.Error(), "not acknowledged") || !a.At.IsZero() {
		t.Errorf("got %+v, %v", a, err)
	}
	if all := r.Revocations(); len(all) != 0 {
		t.Errorf("it counts: %+v", all)
	}
}

// Each of these is a mistake that would revoke something else than was meant,
// or put into the journal what must not be there.
func TestOrdersThatAreRefused(t *testing.T) {
	r := revocation.New(newStore(t), time.Now)
	for name, c := range map[string]struct {
		change func(*pdp.RevocationOrder)
		want   string
	}{
		"no kind":                 {func(o *pdp.RevocationOrder) { o.Kind = "" }, "not something that can be revoked"},
		"a kind that is none":     {func(o *pdp.RevocationOrder) { o.Kind = "agents" }, "not something that can be revoked"},
		"no subject":              {func(o *pdp.RevocationOrder) { o.Subject = "" }, "which agent"},
		"everything, named":       {func(o *pdp.RevocationOrder) { o.Kind = pdp.RevokedEverything }, "without naming"},
		"a credential's value":    {func(o *pdp.RevocationOrder) { o.Kind, o.Subject = pdp.RevokedCredential, "eyJhbGciOi.secret.x" }, "fingerprint"},
		"an owner's issuer":       {func(o *pdp.RevocationOrder) { o.Kind, o.Issuer = pdp.RevokedOwner, "idp" }, "issuer"},
		"no reason":               {func(o *pdp.RevocationOrder) { o.Reason = "" }, "no reason"},
		"nobody":                  {func(o *pdp.RevocationOrder) { o.Actor = "" }, "nobody"},
		"a negative time":         {func(o *pdp.RevocationOrder) { o.For = -1 }, "no time"},
		"a subject of two lines":  {func(o *pdp.RevocationOrder) { o.Subject = "a\nb" }, "printable"},
		"a reason with an escape": {func(o *pdp.RevocationOrder) { o.Reason = "x\x1b[31m" }, "printable"},
		"a reason without end":    {func(o *pdp.RevocationOrder) { o.Reason = strings.Repeat("x", 1025) }, "1024"},
		"a subject without end":   {func(o *pdp.RevocationOrder) { o.Subject = strings.Repeat("x", 513) }, "512"},
	} {
		o := order(pdp.RevokedAgent, "agent")
		c.change(&o)
		_, err := r.Revoke(t.Context(), o)
		if !errors.Is(err, pdp.ErrBadOrder) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats it: %v", name, err)
		}
	}
	if all := r.Revocations(); len(all) != 0 {
		t.Errorf("they count: %+v", all)
	}
}
