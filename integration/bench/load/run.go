package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a server may answer nothing at all.
const patience = 10 * time.Second

// errSilent says that the server stopped answering.
var errSilent = fmt.Errorf("no answer for %s", patience)

// Closed keeps inFlight questions in flight for a time and returns when all are
// answered and their outcomes sent. It returns how many were asked and how long
// each took.
func (c *Client) Closed(inFlight int, d time.Duration) (*Histogram, error) {
	took := &Histogram{}
	start := time.Now()
	for i := range inFlight {
		c.ask(c.conns[i%len(c.conns)], start)
	}
	for now := start; ; {
		if err := c.turn(patience, func(from *conn, call *Call) {
			took.Add(now.Sub(call.due))
			c.answered(call)
			if now.Sub(start) < d {
				c.ask(from, now)
			}
		}, &now); err != nil {
			return took, err
		}
		if c.inFlight() == 0 {
			return took, c.finish()
		}
	}
}

// Open asks at a rate, whether or not the server keeps up, for a time. How long
// an answer took counts from when its question was due, so that one that had to
// wait to be sent does not look quick. The gaps between questions are those of
// independent callers (exponential).
func (c *Client) Open(perSecond float64, d time.Duration) (*Histogram, error) {
	took := &Histogram{}
	start := time.Now()
	end, due := start.Add(d), start
	gap := func() time.Duration { return time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second)) }
	for now := start; ; {
		for due.Before(now) && due.Before(end) && c.room() {
			c.ask(c.conns[c.next%len(c.conns)], due)
			c.next++
			due = due.Add(gap())
		}
		wait := patience
		if due.Before(end) && c.room() {
			wait = max(due.Sub(now), 0)
		}
		if err := c.turn(wait, func(_ *conn, call *Call) {
			took.Add(now.Sub(call.due))
			c.answered(call)
		}, &now); err != nil && !(errors.Is(err, errSilent) && wait < patience) {
			return took, err
		}
		if !due.Before(end) && c.inFlight() == 0 {
			return took, c.finish()
		}
	}
}

// Once asks n questions, inFlight at a time.
func (c *Client) Once(n, inFlight int) error {
	asked, now := 0, time.Now()
	for ; asked < min(n, inFlight); asked++ {
		c.ask(c.conns[asked%len(c.conns)], now)
	}
	for c.inFlight() > 0 {
		if err := c.turn(patience, func(from *conn, call *Call) {
			c.answered(call)
			if asked < n {
				asked++
				c.ask(from, now)
			}
		}, &now); err != nil {
			return err
		}
	}
	return c.finish()
}

func (c *Client) inFlight() (n int) {
	for _, open := range c.conns {
		n += open.inFlight
	}
	return n
}

// room reports whether the next connection can carry another call.
func (c *Client) room() bool { return c.conns[c.next%len(c.conns)].inFlight < maxInFlight/2 }

// turn writes what there is to write, waits for something to read, reads it and
// hands on the answers. now is set to when it was read.
func (c *Client) turn(wait time.Duration, answered func(*conn, *Call), now *time.Time) error {
	c.report(*now, false)
	ready, err := c.wait(wait)
	*now = time.Now()
	if err != nil {
		return err
	}
	for _, open := range ready {
		if err := open.fill(); err != nil {
			return err
		}
		if err := open.frames(func(call *Call) { answered(open, call) }); err != nil {
			return err
		}
	}
	return nil
}

// wait flushes every connection and returns those that can be read.
func (c *Client) wait(patience time.Duration) (ready []*conn, err error) {
	conns := c.all()
	polled := make([]unix.PollFd, len(conns))
	for i, open := range conns {
		if err := open.flush(); err != nil {
			return nil, err
		}
		polled[i] = unix.PollFd{Fd: int32(open.fd), Events: unix.POLLIN}
		if len(open.out) > 0 {
			polled[i].Events |= unix.POLLOUT
		}
	}
	limit := unix.NsecToTimespec(int64(patience))
	n, err := unix.Ppoll(polled, &limit, nil)
	switch {
	case errors.Is(err, unix.EINTR):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("poll: %w", err)
	case n == 0:
		return nil, errSilent
	}
	for i, p := range polled {
		if p.Revents&^unix.POLLOUT != 0 {
			ready = append(ready, conns[i])
		}
	}
	return ready, nil
}

// finish sends the last outcomes and waits until the socket has taken them.
func (c *Client) finish() error {
	if c.outcomes == nil {
		return nil
	}
	now := time.Now()
	c.report(now, true)
	for end := now.Add(patience); now.Before(end); {
		if err := c.outcomes.flush(); err != nil {
			return err
		}
		if len(c.outcomes.out)+len(c.outcomes.waiting) == 0 {
			return nil
		}
		if err := c.turn(time.Millisecond, func(*conn, *Call) {}, &now); err != nil && !errors.Is(err, errSilent) {
			return err
		}
	}
	return errSilent
}
