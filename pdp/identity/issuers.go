package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
)

// Issuers keep the keys of every issuer that is asked for them over the
// network. They outlive generations: a new one finds the keys that are there.
// Safe for concurrent use.
type Issuers struct {
	options IssuerOptions
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	started bool
	byName  map[string]*issuer
}

// IssuerOptions are what all issuers have in common.
type IssuerOptions struct {
	// Dir is a folder in which the last good keys survive a restart while
	// their issuer is down; "" keeps them in memory only.
	Dir string
	Log *slog.Logger
	Now func() time.Time
}

// IssuerStatus is what is known of one issuer's keys.
type IssuerStatus struct {
	Issuer string
	Keys   int           // that can verify tokens
	Age    time.Duration // since the issuer last confirmed them; 0 where there are none yet
	Held   bool          // it has answered once, in this run or the last
	Usable bool          // it is held, and not too old
	Err    error         // of the last attempt; nil after a good one
	Clock  *Clock        // the issuer's, by its last answer; nil where none said
	Algs   []string      // that the keys are used with, in order
}

// NewIssuers returns issuers that are asked for nothing until [Issuers.Start].
func NewIssuers(o IssuerOptions) *Issuers {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	i := &Issuers{options: o, byName: make(map[string]*issuer)}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// get returns the keys of an issuer, the same for the same settings.
func (i *Issuers) get(name string, f *Fetch, pinned map[string]jwa.SignatureAlgorithm) (*issuer, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	fetcher, err := newFetcher(name, f)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprint(name, *f, names(pinned))
	i.mu.Lock()
	defer i.mu.Unlock()
	if known := i.byName[id]; known != nil {
		return known, nil
	}
	made := newIssuer(id, name, f, fetcher, pinned, &i.options)
	i.byName[id] = made
	if i.started {
		i.running.Go(func() { made.run(i.ctx) })
	}
	return made, nil
}

// Start begins to ask every issuer, in the background until [Issuers.Close], and
// waits until each has answered or failed once, or ctx ends.
func (i *Issuers) Start(ctx context.Context) {
	i.mu.Lock()
	all := i.all()
	for _, one := range all {
		i.running.Go(func() { one.run(i.ctx) })
	}
	i.started = true
	i.mu.Unlock()
	for _, one := range all {
		select {
		case <-one.asked:
		case <-ctx.Done():
			return
		}
	}
}

// Try asks every issuer once and returns what went wrong, and which of the
// published keys are left out.
func (i *Issuers) Try(ctx context.Context) (problems []error) {
	i.mu.Lock()
	all := i.all()
	i.mu.Unlock()
	for _, one := range all {
		one.refresh(ctx)
		if err := one.status().Err; err != nil {
			problems = append(problems, fmt.Errorf("issuer %s: %w", one.name, err))
			continue
		}
		for _, reason := range one.current.Load().keys.left() {
			problems = append(problems, fmt.Errorf("issuer %s: %s", one.name, reason))
		}
	}
	return problems
}

// Status returns what is known of every issuer's keys, in the order of their
// names.
func (i *Issuers) Status() (all []IssuerStatus) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, one := range i.all() {
		all = append(all, one.status())
	}
	return all
}

// Close stops asking.
func (i *Issuers) Close() {
	i.cancel()
	i.running.Wait()
}

// all returns the issuers in the order of their names; i.mu is held.
func (i *Issuers) all() (all []*issuer) {
	for _, one := range i.byName {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *issuer) int { return strings.Compare(a.id, b.id) })
	return all
}

func (f *Fetch) check() error {
	if f.Refresh <= 0 || f.MinRefresh <= 0 || f.MaxStale <= 0 || f.Timeout <= 0 {
		return errors.New("the times of refreshing the issuer's keys are not set")
	}
	if f.MaxStale <= f.Refresh {
		return fmt.Errorf("keys would be too old (%s) before they are asked for again (%s)", f.MaxStale, f.Refresh)
	}
	return nil
}
