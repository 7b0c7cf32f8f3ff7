package pdp

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Point is the decision point. Make it with [NewPoint]; it is safe for
// concurrent use.
type Point struct {
	history    History
	keys       *Keys
	ids        *IDs
	now        func() time.Time
	generation atomic.Pointer[Generation]
	// crashed is told of panics, with their stack.
	crashed func(cause any, stack []byte)
}

// NewPoint returns a decision point that remembers in history and has no
// generation yet: until [Point.Activate] it denies everything. now is the only
// clock of its decisions; crashed is told of every panic that became a denial, or
// an outcome without its rules.
func NewPoint(history History, keys *Keys, now func() time.Time, crashed func(cause any, stack []byte)) *Point {
	return &Point{history: history, keys: keys, ids: NewIDs(keys), now: now, crashed: crashed}
}

// Activate makes decisions be made with g from now on. A decision that has
// begun ends with the generation it began with.
func (p *Point) Activate(g *Generation) { p.generation.Store(g) }

// Generation returns the generation in force, nil before the first.
func (p *Point) Generation() *Generation { return p.generation.Load() }

// Decide answers one question. It always answers, and what it answers was
// recorded: the zero Decision, a refusal, a panic, a missed deadline are all
// denials. ctx must end early enough before the caller's deadline for the
// answer to travel.
func (p *Point) Decide(ctx context.Context, env *Envelope) Decision {
	return p.answer(ctx, &Case{Envelope: env, Caller: env})
}

// answer answers the question of c.
func (p *Point) answer(ctx context.Context, c *Case) (d Decision) {
	c.Now, c.Generation = p.now(), p.generation.Load()
	defer func() { d.Reply = c.reply() }()
	defer p.denyPanic(ctx, c, &d)
	if c.Generation == nil {
		return p.unready(ctx, c)
	}

	var err error
	c.Request, err = c.Generation.Reader.Read(c.Envelope)
	c.refuse(err)

	c.Agent, err = c.Generation.Verifier.Verify(ctx, c.Caller)
	c.refuse(err)
	c.identified()
	if c.Agent.Known() {
		c.Partition = p.keys.Partition(c.Agent.Root())
	}

	if c.Question == AboutAction || c.Question == Supposed {
		c.Action = c.Generation.Catalog.Find(&c.Request)
	}

	turn, err := p.history.Begin(ctx, c)
	if err != nil {
		return p.unavailable(ctx, c, err)
	}
	defer turn.Release()

	c.look(turn)
	c.judge(ctx, turn)

	if c.Snapshot.Recorded != nil && c.Refusal == nil {
		return *c.Snapshot.Recorded
	}
	d = c.decision(p.ids.New(c.Partition))
	if c.Question == AboutItself && d.Effect == Allow {
		d.ID = "" // nothing was decided: there is no record
		return d
	}
	d, err = turn.Commit(ctx, c, d)
	if err != nil {
		return p.unavailable(ctx, c, err)
	}
	return d
}

// unready denies because there is nothing to decide with.
func (p *Point) unready(ctx context.Context, c *Case) Decision {
	c.Generation = &Generation{Declared: &Declarations{}}
	c.refuse(Refuse(Unavailable, CodeNotReady, "the decision point is not ready", "no policy is active"))
	return p.record(ctx, c)
}

// unavailable denies because the partition could not be reached or written.
func (p *Point) unavailable(ctx context.Context, c *Case, cause error) Decision {
	code := CodeHistoryDown
	if ctx.Err() != nil {
		code = CodeDeadline
	}
	c.Refusal = Refuse(Unavailable, code, "no decision could be made in time", cause.Error())
	return p.record(ctx, c)
}

// record denies as c.Refusal says, outside of any partition. Where not even
// the record can be written the denial stands without an id: that is the one
// answer nothing is known of afterwards but the store's own error count.
func (p *Point) record(ctx context.Context, c *Case) Decision {
	c.Partition, c.Snapshot, c.Admission = PartitionKey{}, Snapshot{}, nil
	denial := c.decision(p.ids.New(c.Partition))
	turn, err := p.history.Begin(context.WithoutCancel(ctx), c)
	if err == nil {
		defer turn.Release()
		if d, err := turn.Commit(context.WithoutCancel(ctx), c, denial); err == nil {
			return d
		}
	}
	denial.ID = ""
	return denial
}

// denyPanic turns a panic of any step into a recorded denial.
func (p *Point) denyPanic(ctx context.Context, c *Case, d *Decision) {
	cause := recover()
	if cause == nil {
		return
	}
	*d = Decision{Class: Unavailable, Reasons: []Reason{{Code: CodeInternal, Message: "the decision could not be made"}}}
	p.crashed(cause, debug.Stack())
	if c.Generation == nil {
		c.Generation = &Generation{Declared: &Declarations{}}
	}
	c.Refusal = Refuse(Unavailable, CodeInternal, d.Reasons[0].Message, fmt.Sprintf("panic: %T", cause))
	defer func() { recover() }() // the record of a panic may panic itself: the denial above stands
	*d = p.record(ctx, c)
}
