package state

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// nobodysTurn is the turn of a question nobody asked that is known: nothing is
// remembered, but the decision is recorded.
type nobodysTurn struct{ *History }

// View implements [pdp.Turn].
func (t *nobodysTurn) View(c *pdp.Case) pdp.Snapshot {
	empty := &turn{History: t.History, state: &Partition{}, at: c.Now.UnixNano()}
	empty.look(c)
	empty.views.session.nobody = true
	refused := empty.revoked(c)
	if refused == nil && len(presented(c)) > 0 {
		refused = badToken("a session token without a credential that proves its agent")
	}
	return pdp.Snapshot{
		Refusal:  refused,
		Session:  sessionFields.Of(&empty.views.session),
		Activity: activityFields.Of(&empty.views.activity),
		Memory:   value.From(&empty.views.memory),
		Budgets:  value.From(&empty.views.budgets),
	}
}

// Commit implements [pdp.Turn].
func (t *nobodysTurn) Commit(ctx context.Context, c *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
	if d.Effect == pdp.Allow && ctx.Err() != nil {
		d = instead(c, d, pdp.Refuse(pdp.Unavailable, pdp.CodeDeadline, "no decision could be made in time", "the allow came too late for the caller"), 0)
	}
	err := t.accept(ctx, c, &d)
	if refusal := overruled(err); refusal != nil {
		d = instead(c, d, refusal, 0)
		err = t.accept(ctx, c, &d)
	}
	return d, err
}

func (t *nobodysTurn) accept(ctx context.Context, c *pdp.Case, d *pdp.Decision) error {
	record := newRecord(c, d)
	e := &Entry{Kind: Decided, At: c.Now.UnixNano(), Record: &record}
	return t.crowd.record(context.WithoutCancel(ctx), e)
}

// Release implements [pdp.Turn].
func (t *nobodysTurn) Release() {}

// A crowd records decisions about nobody. Above a rate, identical denials of
// one second share a record with their count (invariant 8): a flood of
// requests without a credential must not fill the journal.
type crowd struct {
	store Store
	rate  int
	now   func() time.Time

	mu     sync.Mutex
	second int64
	seen   int               // records written in this second
	held   map[string]*Entry // not yet written, by what makes them identical
	timer  *time.Timer
	failed error // of the last write that nobody waited for
	closed bool
}

func newCrowd(store Store, rate int, now func() time.Time) *crowd {
	return &crowd{store: store, rate: rate, now: now}
}

// record writes the record, or counts it to one that is written within a
// second.
func (k *crowd) record(ctx context.Context, e *Entry) error {
	if e.Record.Agent != (pdp.Principal{}) {
		// Somebody is known, and only the partition could not be had: what is
		// recorded of them is never shared.
		return k.store.Append(ctx, e)
	}
	k.mu.Lock()
	if second := k.now().Unix(); second != k.second {
		k.second, k.seen = second, 0
	}
	k.seen++
	if k.seen <= k.rate || e.Record.Effect == pdp.Allow {
		k.mu.Unlock()
		return k.store.Append(ctx, e)
	}
	defer k.mu.Unlock()
	if k.failed != nil {
		// The store has lost records nobody waited for: from here on every
		// caller waits for its own again.
		if err := k.store.Append(ctx, e); err != nil {
			return err
		}
		k.failed = nil
		return nil
	}
	key := crowdKey(e.Record)
	if same := k.held[key]; same != nil {
		same.Record.Count++
		return nil
	}
	if k.held == nil {
		k.held = make(map[string]*Entry)
		k.timer = time.AfterFunc(time.Second, func() { k.flush() })
	}
	k.held[key] = e
	return nil
}

func crowdKey(r *Record) string {
	code := ""
	if len(r.Reasons) > 0 {
		code = r.Reasons[0].Code
	}
	return strings.Join([]string{r.Listener, r.Proxy, r.Host, code}, "\x00")
}

// flush writes what is held back.
func (k *crowd) flush() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(k.held)) {
		if err := k.store.Append(context.Background(), k.held[key]); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(k.held, key)
	}
	if k.failed = errors.Join(errs...); k.failed != nil {
		if !k.closed { // they are kept and tried again
			k.timer = time.AfterFunc(time.Second, func() { k.flush() })
		}
		return k.failed
	}
	k.held = nil
	return nil
}

func (k *crowd) close() error {
	k.mu.Lock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
	}
	k.mu.Unlock()
	return k.flush()
}
