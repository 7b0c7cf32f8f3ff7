package pdp

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Work gives way after each turn, for twice as long as it took.
func TestWorkHasItsTurns(t *testing.T) {
	for name, c := range map[string]struct {
		part, want time.Duration
		sleeps     int // in 10 ms of work
	}{
		"small parts": {10 * time.Microsecond, 400 * time.Microsecond, 50},
		"large parts": {500 * time.Microsecond, time.Millisecond, 20},
		"stalled":     {5 * time.Millisecond, paceMost, 2},
	} {
		t.Run(name, func(t *testing.T) {
			clock, sleeps := time.Unix(0, 0), 0
			now := func() time.Time { return clock }
			var p Pace
			for worked := time.Duration(0); worked <= 10*time.Millisecond; worked += c.part {
				p.step(now, func(d time.Duration) {
					clock = clock.Add(d)
					if sleeps++; d != c.want {
						t.Errorf("it slept %s, want %s", d, c.want)
					}
				})
				clock = clock.Add(c.part)
			}
			if sleeps != c.sleeps {
				t.Errorf("it slept %d times, want %d", sleeps, c.sleeps)
			}
		})
	}
}

// On a processor that others keep busy, work goes on: it took 1,600 times as long where
// it let go with runtime.Gosched.
func TestWorkGoesOnAmongOthers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var over atomic.Bool
	defer over.Store(true)
	for range 16 { // each wakes the next one, as requests do
		there, back := make(chan struct{}), make(chan struct{})
		serve := func(from <-chan struct{}, to chan<- struct{}) {
			for range from {
				if over.Load() {
					close(to)
					return
				}
				spin(50 * time.Microsecond)
				to <- struct{}{}
			}
		}
		go serve(there, back)
		go serve(back, there)
		there <- struct{}{}
	}
	const steps, each = 2000, 20 * time.Microsecond
	var p Pace
	start := time.Now()
	for range steps {
		spin(each)
		p.Step()
	}
	if took, alone := time.Since(start), steps*each; took > 200*alone {
		t.Errorf("it took %s where it takes %s alone: it was left waiting", took, alone)
	} else {
		t.Logf("%s of work in %s", alone, took)
	}
}

// spin keeps the processor busy.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}
