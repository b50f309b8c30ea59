package actor

import (
	"context"
	"math"
	"time"
)

// Timer is a message that an actor will get from itself; see [After] and [Every].
type Timer struct {
	in      *incarnation
	timer   *time.Timer
	message any
	every   time.Duration // 0 for once
}

// After lets the actor get m in its mailbox once d has passed. The timer ends
// with the actor, and with a restart, and so does its message, stashed or not. A nil m
// becomes a dead letter.
func After[P any, M Message[P]](ctx *Context, d time.Duration, m M) *Timer {
	return ctx.in.startTimer(m, d, 0)
}

// Every is After, again and again, with d between. It skips a beat rather than
// queue one beside another that has not been handled, which may be stashed. A d below a
// millisecond counts as one.
func Every[P any, M Message[P]](ctx *Context, d time.Duration, m M) *Timer {
	d = max(d, time.Millisecond)
	return ctx.in.startTimer(m, d, d)
}

// Stop ends the timer. Its message, if not handled yet, will not be, even if it was
// stashed. Call it from the actor only.
func (t *Timer) Stop() {
	t.timer.Stop()
	delete(t.in.timers, t)
}

func (in *incarnation) startTimer(message any, d, every time.Duration) *Timer {
	t := &Timer{in: in, message: message, every: every}
	if in.timers == nil {
		in.timers = make(map[*Timer]struct{})
	}
	in.timers[t] = struct{}{}
	// Two steps: it may fire at once, and look at t.timer.
	t.timer = time.AfterFunc(math.MaxInt64, t.fire)
	t.timer.Reset(d)
	return t
}

// fire queues the timer itself as a message, so that a timer that has been
// stopped since is not heard any more.
func (t *Timer) fire() {
	c := t.in.cell
	if err := c.process.TryPost(Envelope{message: t}); err != nil {
		t.missed(c.refused(context.Background(), err))
	}
}

// tick is the turn of the timer in the mailbox.
func (t *Timer) tick() {
	if _, runs := t.in.timers[t]; !runs {
		return
	}
	if t.every > 0 {
		t.timer.Reset(t.every)
	}
	c := t.in.cell
	c.timer, c.stashed = t, false
	if isNil(t.message) {
		c.system.undelivered(Envelope{message: t.message}, c, nilMessage(t.message))
	} else {
		c.Receive(Envelope{message: t.message})
	}
	if !c.stashed {
		t.handled(false)
	}
	c.timer = nil
}

// stashed holds back the next beat until this one is handled.
func (t *Timer) stashed() { t.timer.Stop() }

// handled is called when the message has been handled; after stashed, if that is taken
// back.
func (t *Timer) handled(stashed bool) {
	t.in.cell.timer = nil
	switch _, runs := t.in.timers[t]; {
	case !runs:
	case t.every == 0:
		delete(t.in.timers, t)
	case stashed:
		t.timer.Reset(t.every)
	}
}

// missed is called when the mailbox does not take the message, or the actor ends: then
// the timer ends with it.
func (t *Timer) missed(reason *Error) {
	if reason.Code == NotFound || reason.Code == Unavailable {
		return
	}
	c := t.in.cell
	c.system.undelivered(Envelope{message: t.message}, c, reason)
	if t.every > 0 {
		t.timer.Reset(t.every)
	}
}
