package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are 1/64 of their value wide at
// most, as HdrHistogram does. The zero value is empty.
type Histogram struct {
	counts [64 * 64]uint64
	total  uint64
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile returns the duration that the share q of all durations does not
// exceed, 0 where nothing was added.
func (h *Histogram) Quantile(q float64) time.Duration {
	seen, want := uint64(0), uint64(q*float64(h.total))
	for i, n := range h.counts {
		if seen += n; n > 0 && seen > want {
			return time.Duration(upper(i))
		}
	}
	return 0
}

// bucket numbers the buckets: 64 of width 1, and 32 for each doubling above.
func bucket(n uint64) int {
	if n < 64 {
		return int(n)
	}
	shift := bits.Len64(n) - 6
	return 64 + (shift-1)*32 + int(n>>shift) - 32
}

// upper is the largest value of a bucket.
func upper(i int) uint64 {
	if i < 64 {
		return uint64(i)
	}
	shift := (i-64)/32 + 1
	return (uint64((i-64)%32+32)+1)<<shift - 1
}

// Merge adds everything that was added to another one.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}
