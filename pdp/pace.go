package pdp

import "time"

const (
	// paceTurn is for how long work goes on at a time: as long as two or three decisions take.
	paceTurn = 200 * time.Microsecond
	// paceOthers is how much longer than that it gives way: a third of a busy processor is
	// its own.
	paceOthers = 2
	// paceMost is how long it sleeps at the most. What it did may have taken long because
	// it had no processor.
	paceMost = 2 * time.Millisecond
)

// Pace is how work that nobody waits for gives way to decisions, and still goes on
// when the processors are busy. The zero value is ready to use, by one goroutine at a
// time; a nil one gives way to nobody, for work that is waited for.
//
// Go lets a goroutine run for 10 ms before another one has the processor: on one
// core that is 10 ms more for every decision. [runtime.Gosched] is no remedy: whoever
// calls it goes behind all that is ready and, because the scheduler looks at that
// queue only every 61st time, behind much that becomes ready later. Under load each
// call takes milliseconds, and work that lets go often never ends. Who sleeps is
// woken in time, also by a scheduler that has much to do. On a processor that is idle
// the shortest sleep takes a millisecond: work that somebody waits for has no pace.
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
	if worked < paceTurn {
		return
	}
	sleep(min(paceOthers*worked, paceMost))
	p.since = now()
}
