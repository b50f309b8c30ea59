package transport

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// Room for casts has two bounds: that of the lane's queue, and what the other node allows
// for one receiver, from when that was full. See docs/adr/0021-room.md.

// receiver is whom an envelope is for.
type receiver struct {
	to  string
	uid uint64
}

// allowance is what may be sent to one receiver, in running totals of the stream.
type allowance struct {
	sent, upTo uint64
	waiting    list.List // of *waiter, while it is spent
}

// unlimited says that a receiver has no bound any more.
const unlimited = math.MaxUint64

// maxAllowances bounds what another node can have a lane remember.
const maxAllowances = 1 << 16

// spent is what a message takes of an allowance.
func spent(payload int) int { return payload + 64 }

func (a *allowance) isSpent() bool { return a.sent >= a.upTo }

// A waiter is a cast whose sender waits for room. Its lane's mu guards it.
type waiter struct {
	envelope wire.Envelope
	size     int
	line     *list.List    // in which it waits; nil once it has left
	place    *list.Element // there
	queued   chan error    // holds one
}

func (w *waiter) join(line *list.List) { w.line, w.place = line, line.PushBack(w) }

func (w *waiter) leave() {
	w.line.Remove(w.place)
	w.line, w.place = nil, nil
}

// settle says what became of the wait.
func (w *waiter) settle(err error) {
	w.leave()
	w.queued <- err
}

// A wait of the first length is logged, at most once in the second for each lane.
const (
	longWait    = 2 * time.Second
	reportPause = time.Minute
)

// TellContext is Tell, but waits for room until ctx ends; that is an error of kind NotSent,
// too. The senders that wait are served in the order in which they came.
func (p *Peer) TellContext(ctx context.Context, e *wire.Envelope) error {
	e.Kind = wire.Cast
	size, err := p.size(e)
	if err != nil {
		return err
	}
	l := p.lane(e)
	w, err := l.tellPatiently(e, size)
	if w == nil {
		return err
	}
	timer := time.NewTimer(longWait)
	defer timer.Stop()
	for {
		select {
		case err := <-w.queued:
			return err
		case <-timer.C:
			timer.Reset(l.report(w))
		case <-ctx.Done():
			if err := l.giveUp(ctx, w); err != nil {
				return err
			}
			return <-w.queued
		}
	}
}

// tell queues a cast, or refuses it.
func (l *lane) tell(e *wire.Envelope, size int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.check(e, size); err != nil {
		return err
	}
	a := l.allowanceFor(e)
	switch {
	case a != nil && a.isSpent():
		return l.peer.notSent(ErrReceiverFull)
	case l.isFull(size):
		return l.peer.notSent(ErrQueueFull)
	}
	l.pushCast(a, e, size)
	return nil
}

// tellPatiently queues a cast, or returns its waiter.
func (l *lane) tellPatiently(e *wire.Envelope, size int) (*waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.check(e, size); err != nil {
		return nil, err
	}
	a := l.allowanceFor(e)
	line := &l.waiting
	switch {
	case a != nil && a.isSpent():
		line = &a.waiting
	case l.waiting.Len() == 0 && l.hasRoom(size):
		l.pushPatient(a, e, size)
		return nil, nil
	}
	w := &waiter{envelope: *e, size: size, queued: make(chan error, 1)}
	w.join(line)
	return w, nil
}

// allowanceFor returns that of e's receiver, nil if it has no bound. The caller holds mu.
func (l *lane) allowanceFor(e *wire.Envelope) *allowance {
	if len(l.allowances) == 0 {
		return nil
	}
	return l.allowances[receiver{e.To, e.UID}]
}

// pushCast queues e, and counts it if its receiver has a bound. The caller holds mu.
func (l *lane) pushCast(a *allowance, e *wire.Envelope, size int) {
	e.Total = 0
	if a != nil {
		a.sent += uint64(spent(len(e.Payload)))
		e.Total = a.sent
		size = wire.Size(e)
	}
	l.push(e, size)
}

// Senders that can wait fill a quarter of the queue only, so that those that cannot find
// room beside them.

// pushPatient is pushCast for a sender that can wait. The caller holds mu.
func (l *lane) pushPatient(a *allowance, e *wire.Envelope, size int) {
	l.pushCast(a, e, size)
	l.queue.markPatient(size)
}

// hasRoom reports whether there is room for a sender that can wait. The caller holds mu.
func (l *lane) hasRoom(size int) bool {
	share := l.peer.transport.cfg.QueueBytes / 4
	return !l.isFull(size) && (l.queue.patient == 0 || l.queue.patient+size <= share)
}

// serve queues what waits, as far as there is room. The caller holds mu.
func (l *lane) serve() {
	for front := l.waiting.Front(); front != nil; front = l.waiting.Front() {
		w := front.Value.(*waiter)
		if err := l.check(&w.envelope, w.size); err != nil {
			w.settle(err)
			continue
		}
		a := l.allowanceFor(&w.envelope)
		if a != nil && a.isSpent() {
			w.leave()
			w.join(&a.waiting)
			continue
		}
		if !l.hasRoom(w.size) {
			return
		}
		l.pushPatient(a, &w.envelope, w.size)
		w.settle(nil)
	}
}

// allow takes what the other node says of the room at a receiver.
func (l *lane) allow(v *wire.View) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := receiver{string(v.To), v.UID}
	a := l.allowances[to]
	switch {
	case v.Total == unlimited:
		delete(l.allowances, to)
	case a == nil && len(l.allowances) >= maxAllowances:
		return fmt.Errorf("%w: it bounds more than %d receivers", wire.ErrMalformed, maxAllowances)
	case a == nil:
		if l.allowances == nil {
			l.allowances = make(map[receiver]*allowance)
		}
		l.allowances[to] = &allowance{upTo: v.Total}
		return nil
	default:
		a.upTo = v.Total
	}
	if a != nil && (v.Total == unlimited || !a.isSpent()) {
		a.rejoin(&l.waiting)
		l.serve()
	}
	return nil
}

// rejoin has those that wait for an allowance wait for the queue.
func (a *allowance) rejoin(line *list.List) {
	for front := a.waiting.Front(); front != nil; front = a.waiting.Front() {
		w := front.Value.(*waiter)
		w.leave()
		w.join(line)
	}
}

// forgetAllowances ends those of a stream that has ended. The caller holds mu.
func (l *lane) forgetAllowances() {
	for _, a := range l.allowances {
		a.rejoin(&l.waiting)
	}
	l.allowances = nil
}

// refuseWaiters settles all that wait. The caller holds mu.
func (l *lane) refuseWaiters(err error) {
	l.forgetAllowances()
	for front := l.waiting.Front(); front != nil; front = l.waiting.Front() {
		front.Value.(*waiter).settle(err)
	}
}

// giveUp ends a wait with ctx's error; nil if the waiter was served meanwhile.
func (l *lane) giveUp(ctx context.Context, w *waiter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.line == nil {
		return nil
	}
	what := l.roomOf(w)
	w.leave()
	l.serve() // a smaller one behind it may fit
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return l.peer.notSent(fmt.Errorf("gave up waiting for room %s: %w", what, err))
}

// roomOf says where w waits for room. The caller holds mu.
func (l *lane) roomOf(w *waiter) string {
	if w.line == &l.waiting {
		return "in the queue to the node"
	}
	return "at the receiver " + w.envelope.To
}

// report logs that a sender has waited for long, unless another one of the lane has lately.
// It returns when to call it again.
func (l *lane) report(w *waiter) (pause time.Duration) {
	l.mu.Lock()
	now := time.Now()
	if pause = reportPause - now.Sub(l.reported); w.line == nil || pause > 0 {
		l.mu.Unlock()
		return max(pause, longWait)
	}
	l.reported = now
	what, waiting := l.roomOf(w), w.line.Len()
	l.mu.Unlock() // the logger is the user's
	l.peer.transport.cfg.Logger.Warn("messages to another node wait for room "+what,
		"node", l.peer.node, "to", w.envelope.To, "message", w.envelope.Message, "waiting", waiting)
	return reportPause
}
