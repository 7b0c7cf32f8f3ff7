// Package pace has work that nobody waits for give way to decisions, and still go
// on when the processors are busy.
//
// Go lets a goroutine run for 10 ms before another one has the processor: on one
// core that is 10 ms more for every decision. [runtime.Gosched] is no remedy: whoever
// calls it goes behind all that is ready and, because the scheduler looks at that
// queue only every 61st time, behind much that becomes ready later. Under load each
// call takes milliseconds, and work that lets go often never ends. Who sleeps is
// woken in time, also by a scheduler that has much to do.
package pace

import "time"

const (
	// turn is for how long work goes on at a time: about as long as a decision takes.
	turn = 200 * time.Microsecond
	// others is how much longer than that it gives way: a third of a busy processor is
	// its own.
	others = 2
	// most is how long it sleeps at the most. What it did may have taken long because
	// it had no processor.
	most = 2 * time.Millisecond
)

// Pace is how a piece of work gives way. The zero value is ready to use, by one
// goroutine at a time; a nil one gives way to nobody, for work that is waited for.
type Pace struct{ since time.Time }

// Step is called between parts of the work that take microseconds, with nothing held
// that others wait for. It sleeps where the work has had its turn.
func (p *Pace) Step() {
	if p != nil {
		p.step(time.Now, time.Sleep)
	}
}

func (p *Pace) step(now func() time.Time, sleep func(time.Duration)) {
	at := now()
	if p.since.IsZero() {
		p.since = at
	}
	worked := at.Sub(p.since)
	if worked < turn {
		return
	}
	sleep(min(others*worked, most))
	p.since = now()
}
