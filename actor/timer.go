package actor

import "time"

// Timer is a message that an actor will get from itself; see [After] and [Every].
type Timer struct {
	timer *time.Timer
	cell  *cell
}

// After lets the actor get m in its mailbox once d has passed. The timer ends
// with the actor, and with a restart.
func After[P any, M Message[P]](ctx *Context, d time.Duration, m M) *Timer {
	t := newTimer(ctx.cell)
	// The actor itself sets t.timer before it can look at it again.
	t.timer = time.AfterFunc(d, func() { t.fire(m, 0) })
	return t
}

// Every is After, again and again, with d between. It skips a beat rather than
// queue one beside another that has not been handled. A d below a microsecond
// counts as one.
func Every[P any, M Message[P]](ctx *Context, d time.Duration, m M) *Timer {
	t := newTimer(ctx.cell)
	d = max(d, time.Microsecond)
	t.timer = time.AfterFunc(d, func() { t.fire(m, d) })
	return t
}

// Stop ends the timer. Its message, if not handled yet, will not be. Call it from
// the actor only.
func (t *Timer) Stop() {
	t.timer.Stop()
	delete(t.cell.timers, t)
}

func newTimer(c *cell) *Timer {
	t := &Timer{cell: c}
	if c.timers == nil {
		c.timers = make(map[*Timer]struct{})
	}
	c.timers[t] = struct{}{}
	return t
}

// fire queues the tick, which the actor drops if it has stopped the timer.
func (t *Timer) fire(message any, again time.Duration) {
	tick := func(c *cell) {
		if _, runs := c.timers[t]; !runs {
			return
		}
		if again > 0 {
			t.timer.Reset(again)
		} else {
			delete(c.timers, t)
		}
		c.Receive(Envelope{message: message})
	}
	if err := t.cell.process.TryPost(Envelope{message: tick}); err != nil {
		t.cell.system.undelivered(Envelope{message: message}, t.cell, t.cell.refused(err))
		if again > 0 {
			t.timer.Reset(again)
		}
	}
}
