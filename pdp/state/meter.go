package state

import (
	"slices"
	"strings"
)

// meterBuckets is how many parts a budget's window is counted in. What an
// answer is uncertain by is one part.
const meterBuckets = 16

// Meter counts what was charged to one budget in one scope.
type Meter struct {
	Budget  string
	Window  int64    // nanoseconds; 0: over the life of the scope
	Buckets []Bucket // oldest first
}

// Bucket is what was charged in one part of a window.
type Bucket struct {
	Start   int64
	Settled int64
	Open    int64 // waits for an outcome, or never had one
}

func (m *Meter) width() int64 {
	if m.Window == 0 {
		return 0
	}
	return max(m.Window/meterBuckets, 1)
}

// charge adds n open units and returns the bucket they are in.
func (m *Meter) charge(n, now int64) (bucket int64) {
	if w := m.width(); w > 0 {
		bucket = now - now%w
		m.Buckets = slices.DeleteFunc(m.Buckets, func(b Bucket) bool { return !m.within(b, now) })
	}
	if last := len(m.Buckets) - 1; last < 0 || m.Buckets[last].Start != bucket {
		m.Buckets = append(m.Buckets, Bucket{Start: bucket})
	}
	m.Buckets[len(m.Buckets)-1].Open += n
	return bucket
}

// settle ends the wait of n units charged to a bucket.
func (m *Meter) settle(bucket, n int64, stands bool) {
	for i := range m.Buckets {
		b := &m.Buckets[i]
		if b.Start != bucket {
			continue
		}
		n = min(n, b.Open)
		b.Open -= n
		if stands {
			b.Settled += n
		}
		return
	}
}

// within reports whether any moment of a bucket is within the window before
// now. Windows are closed: an age of exactly the window is in.
func (m *Meter) within(b Bucket, now int64) bool {
	return m.Window == 0 || b.Start+m.width() > now-m.Window
}

// read returns how much of the budget is spent at now: at least lo (settled
// within the window for certain), at most hi (open units, and buckets that are
// partly within, included).
func (m *Meter) read(now int64) (lo, hi int64) {
	if m == nil {
		return 0, 0
	}
	for _, b := range m.Buckets {
		if !m.within(b, now) {
			continue
		}
		hi += b.Settled + b.Open
		if m.Window == 0 || b.Start >= now-m.Window {
			lo += b.Settled
		}
	}
	return lo, hi
}

// frees returns after how many nanoseconds hi is at most limit: 0 where it is
// already, -1 where time alone does not get it there.
func (m *Meter) frees(limit, now int64) int64 {
	_, hi := m.read(now)
	if hi <= limit {
		return 0
	}
	if m == nil || m.Window == 0 {
		return -1
	}
	for _, b := range m.Buckets {
		if !m.within(b, now) {
			continue
		}
		if hi -= b.Settled + b.Open; hi <= limit {
			return b.Start + m.width() + m.Window - now
		}
	}
	return -1
}

func (m *Memory) findMeter(budget string) (int, bool) {
	return slices.BinarySearchFunc(m.Meters, budget, func(m *Meter, budget string) int { return strings.Compare(m.Budget, budget) })
}

// metered returns the meter of a budget; nil where nothing was charged.
func (m *Memory) metered(budget string) *Meter {
	i, known := m.findMeter(budget)
	if !known {
		return nil
	}
	return m.Meters[i]
}

// meter returns the meter of a budget, made when there is none.
func (m *Memory) meter(budget string, window, now int64) *Meter {
	i, known := m.findMeter(budget)
	if !known {
		m.Meters = slices.Insert(m.Meters, i, &Meter{Budget: budget, Window: window})
	}
	if m.Meters[i].Window != window {
		m.Meters[i] = m.Meters[i].recast(window, now)
	}
	return m.Meters[i]
}

// recast returns the meter of a budget whose window was changed: everything
// charged before counts as charged at the latest moment it can have been.
func (m *Meter) recast(window, now int64) *Meter {
	fresh := &Meter{Budget: m.Budget, Window: window}
	for _, b := range m.Buckets {
		at := min(b.Start+m.width(), now)
		if m.Window == 0 {
			at = now
		}
		if w := fresh.width(); w > 0 {
			at -= at % w
		} else {
			at = 0
		}
		if last := len(fresh.Buckets) - 1; last >= 0 && fresh.Buckets[last].Start == at {
			fresh.Buckets[last].Settled += b.Settled
			fresh.Buckets[last].Open += b.Open
			continue
		}
		fresh.Buckets = append(fresh.Buckets, Bucket{at, b.Settled, b.Open})
	}
	return fresh
}

func codeMeter(c *coder, m *Meter) {
	word(c, &m.Budget)
	c.int(&m.Window)
	list(c, &m.Buckets, codeBucket)
}

func codeBucket(c *coder, b *Bucket) {
	c.moment(&b.Start)
	c.int(&b.Settled)
	c.int(&b.Open)
}
