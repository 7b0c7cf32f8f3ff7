package extauthz

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A check is one question, while it is decided about.
type check struct {
	limit
	proxy, message string
	answer         chan<- rendered
}

// workers decide while the callers of [Server.Check] wait, each for no longer
// than its caller does. They are kept because a new goroutine has to grow its
// stack for every decision, and it is these that grow: that, and no timer started
// and stopped for a check, is most of what handing it over would cost.
type workers struct {
	decide func(*check) rendered
	// crashed is told of panics, which are denials.
	crashed func(cause any, stack []byte)
	work    chan *check
	// room is how many more workers may be kept.
	room  atomic.Int64
	desks sync.Pool
}

func newWorkers(kept int, decide func(*check) rendered, crashed func(any, []byte)) *workers {
	w := &workers{decide: decide, crashed: crashed, work: make(chan *check)}
	w.room.Store(int64(kept))
	w.desks.New = newDesk
	return w
}

// do has c decided and returns the answer; nil where there is none at the time it
// would be late.
func (w *workers) do(c *check, late time.Time) rendered {
	d := w.desks.Get().(*desk)
	c.answer = d.answer
	select {
	case w.work <- c:
	default: // all are busy
		go w.begin(c)
	}
	answer := d.wait(late)
	if answer != nil {
		w.desks.Put(d) // otherwise the answer may still come
	}
	return answer
}

// begin answers c, and whatever comes then where another worker is to be kept.
func (w *workers) begin(c *check) {
	w.one(c)
	if w.room.Add(-1) < 0 {
		w.room.Add(1)
		return
	}
	for c := range w.work {
		w.one(c)
	}
}

// one answers c. A panic is a denial.
func (w *workers) one(c *check) {
	defer w.recovered(c)
	defer c.release()
	c.answer <- w.decide(c)
}

func (w *workers) recovered(c *check) {
	if cause := recover(); cause != nil {
		w.crashed(cause, debug.Stack())
		c.answer <- broken()
	}
}

// A desk is where a caller waits for an answer. Its timer is set for the time that
// an answer would be late, and is left alone when one comes: where it goes off
// before that of a later check it is set again. So a desk in use sets its timer
// once a deadline, and not once a check.
type desk struct {
	answer chan rendered
	timer  *time.Timer
	rings  time.Time // when the timer goes off
}

func newDesk() any {
	const never = 24 * time.Hour
	return &desk{answer: make(chan rendered, 1), timer: time.NewTimer(never), rings: time.Now().Add(never)}
}

// wait returns the answer; nil where there is none by late.
func (d *desk) wait(late time.Time) rendered {
	if late.Before(d.rings) {
		d.ringAt(late)
	}
	for {
		select {
		case answer := <-d.answer:
			return answer
		case now := <-d.timer.C:
			if !now.Before(late) {
				return nil
			}
			d.ringAt(late)
		}
	}
}

func (d *desk) ringAt(t time.Time) {
	d.timer.Reset(time.Until(t))
	d.rings = t
}
