package catalog

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Source is where the tools of one MCP server can be seen as they are now.
type Source interface {
	// Tools asks for all of them. It ends with its context.
	Tools(context.Context) (*Listing, error)
}

// Watched is a system whose tools are looked at again and again.
type Watched struct {
	System string // its name in the catalog
	Source Source
	Every  time.Duration
	// Keep is how long what was seen says that nothing has changed.
	Keep time.Duration
}

// Seen is what the watched systems offer, as they were last seen to. It
// outlives generations; safe for concurrent use.
type Seen struct {
	systems map[string]*sight
	now     func() time.Time
}

// sight is what is known of one system; latest is nil before the first answer.
type sight struct {
	Watched
	latest atomic.Pointer[seenTools]
}

type seenTools struct {
	at      time.Time
	digests map[string]string // by tool
}

// NewSeen returns what has been seen of nothing yet. now is the clock.
func NewSeen(systems []Watched, now func() time.Time) *Seen {
	s := &Seen{systems: make(map[string]*sight, len(systems)), now: now}
	for _, w := range systems {
		s.systems[w.System] = &sight{Watched: w}
	}
	return s
}

// Watch looks at every system until ctx ends. What cannot be seen is reported,
// once for as long as it lasts, and what was seen before grows old.
func (s *Seen) Watch(ctx context.Context, report func(system string, err error)) {
	done := make(chan struct{})
	for _, one := range s.systems {
		go func() {
			defer func() { done <- struct{}{} }()
			s.watch(ctx, one, report)
		}()
	}
	for range s.systems {
		<-done
	}
}

func (s *Seen) watch(ctx context.Context, one *sight, report func(string, error)) {
	again := time.NewTicker(one.Every)
	defer again.Stop()
	failing := false
	for {
		err := s.look(ctx, one)
		if err != nil && ctx.Err() == nil && !failing {
			report(one.System, err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// look looks at one system now. A list that is not complete or that names a
// tool no catalog can name is taken as far as it goes.
func (s *Seen) look(ctx context.Context, one *sight) error {
	asking, cancel := context.WithTimeout(ctx, one.Every)
	defer cancel()
	listing, err := one.Source.Tools(asking)
	if err != nil {
		return err
	}
	if listing.At.IsZero() {
		listing.At = s.now()
	}
	latest := &seenTools{at: listing.At, digests: make(map[string]string, len(listing.Tools))}
	for _, tool := range listing.Tools {
		latest.digests[tool.Name] = tool.Digest
	}
	one.latest.Store(latest)
	return nil
}

// Over returns a catalog that finds what known does, and says of the tools of
// the watched systems what was seen of them. It asks nobody. Where nothing is
// watched, s nil included, it is known itself.
func (s *Seen) Over(known pdp.Catalog) pdp.Catalog {
	if s == nil || len(s.systems) == 0 {
		return known
	}
	return sighted{known, s}
}

type sighted struct {
	pdp.Catalog
	seen *Seen
}

// Find implements [pdp.Catalog].
func (c sighted) Find(q *pdp.Request) pdp.Action {
	a := c.Catalog.Find(q)
	if q.Protocol != pdp.MCP || q.RPC == nil || q.RPC.Method != "tools/call" {
		return a
	}
	one := c.seen.systems[a.Target.System]
	if one == nil {
		return a
	}
	if latest := one.latest.Load(); latest != nil {
		d := &a.Target.Definition
		d.Seen, d.SeenAt, d.Until = latest.digests[q.RPC.Name], latest.at, latest.at.Add(one.Keep)
	}
	return a
}
