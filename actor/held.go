package actor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/mailbox"
)

// held are the messages from other nodes that wait for room in one actor's mailbox, oldest
// first. While there are any, what comes goes behind them. Senders on this node wait in the
// mailbox itself.
type held struct {
	count atomic.Int64

	mu       sync.Mutex
	messages []heldMessage
	sweepAt  int       // how many there are when those that nobody waits for are looked for
	noticed  time.Time // when the log last said that messages wait
}

type heldMessage struct {
	envelope Envelope
	ctx      context.Context // of a request; nil if it is told
	settled  func()          // may be nil
	gone     func() error    // takes it if the actor has ended; nil for nobody
}

// longWait is how long messages wait before that is logged, and noticePause how long the log
// says nothing more of one actor then.
const (
	longWait    = 2 * time.Second
	noticePause = time.Minute
)

// minSweep is how many messages are held at least when requests are looked for that their
// askers have given up. Else those would stay for as long as the one before them waits.
const minSweep = 64

// deliver queues a message from another node, or holds it if it may wait for room.
func (c *cell) deliver(e Envelope, d *Delivery) error {
	if h := c.held.Load(); d.Held == nil || h == nil || h.count.Load() == 0 {
		err := c.process.TryPost(e)
		if d.Held != nil && errors.Is(err, mailbox.ErrFull) {
			err = c.process.Post(c.system.answered, e) // which has ended: not every queue has its senders wait
		}
		switch {
		case err == nil:
			return nil
		case d.Held == nil || errors.Is(err, mailbox.ErrFull) || errors.Is(err, mailbox.ErrClosed):
			return c.refused(context.Background(), err)
		}
	}
	return c.hold(e, d)
}

// hold keeps a message until the mailbox has room.
func (c *cell) hold(e Envelope, d *Delivery) error {
	m := heldMessage{envelope: e, settled: d.Held(*d)}
	if k, ok := e.message.(request); ok {
		m.ctx = k.context()
	} else if d.Gone != nil {
		from, kept := e.Context(), *d
		kept.Payload = slices.Clone(d.Payload)
		m.gone = func() error { return kept.Gone(from, kept) }
	}
	s := c.system
	s.mu.RLock() // Stop waits for the goroutines that have begun when it closes the system
	defer s.mu.RUnlock()
	if s.closing {
		m.settle()
		return notRun(Unavailable, "the system is stopping, and the mailbox of %s is full", c)
	}
	h := c.full()
	if given := c.keep(h, m); len(given) > 0 {
		s.work.Go(func() { c.giveUp(given) })
	}
	return nil
}

// keep holds m behind the others, and returns the requests that need not be held any more.
func (c *cell) keep(h *held, m heldMessage) (given []heldMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, m)
	if h.count.Add(1) == 1 {
		c.system.work.Go(func() { c.admit(h) })
	}
	if len(h.messages) < max(h.sweepAt, minSweep) {
		return nil
	}
	kept := h.messages[:1] // admit has it
	for _, m := range h.messages[1:] {
		if m.ctx != nil && m.ctx.Err() != nil {
			given = append(given, m)
		} else {
			kept = append(kept, m)
		}
	}
	clear(h.messages[len(kept):])
	h.messages, h.sweepAt = kept, 2*len(kept)
	h.count.Add(-int64(len(given)))
	return given
}

// giveUp answers requests that nobody waits for.
func (c *cell) giveUp(given []heldMessage) {
	for _, m := range given {
		c.system.undelivered(m.envelope, c, c.refused(m.ctx, context.Cause(m.ctx)))
		m.settle()
	}
}

// full returns what is held.
func (c *cell) full() *held {
	if h := c.held.Load(); h != nil {
		return h
	}
	c.held.CompareAndSwap(nil, new(held))
	return c.held.Load()
}

// post queues a message of a sender on this node, which waits for room until ctx ends.
func (c *cell) post(ctx context.Context, e Envelope) error {
	err := c.process.TryPost(e)
	if err == nil || !errors.Is(err, mailbox.ErrFull) {
		return err
	}
	return c.wait(ctx, e)
}

// wait is post for a mailbox that is full.
func (c *cell) wait(ctx context.Context, e Envelope) error {
	slow := time.AfterFunc(longWait, func() {
		if c.full().mayNotice() {
			c.system.log.Warn("a sender waits for room in the mailbox of an actor", "actor", c.path, "message", c.system.MessageName(e))
		}
	})
	defer slow.Stop()
	return c.process.Post(ctx, e)
}

// mayNotice reports whether the log may say again that messages wait.
func (h *held) mayNotice() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.noticed.IsZero() && now.Sub(h.noticed) < noticePause {
		return false
	}
	h.noticed = now
	return true
}

// unposted is for a message that the mailbox has not taken.
func (c *cell) unposted(m heldMessage, err error) {
	reason := c.refused(m.ctx, err)
	if m.gone != nil && errors.Is(err, mailbox.ErrClosed) {
		if err = contain.Call("what takes messages of actors that have ended", m.gone); err == nil {
			return
		}
		reason = AsError(err)
	}
	c.system.undelivered(m.envelope, c, reason)
}

func (m heldMessage) settle() {
	if m.settled != nil {
		m.settled()
	}
}

// admit queues what is held as the mailbox gets room. A mailbox that is closed refuses it.
func (c *cell) admit(h *held) {
	slow := time.AfterFunc(longWait, func() {
		if !h.mayNotice() {
			return
		}
		c.system.log.Warn("messages from other nodes wait for room in the mailbox of an actor", "actor", c.path, "messages", h.count.Load())
	})
	defer slow.Stop()
	for more := true; more; {
		h.mu.Lock()
		m := h.messages[0]
		h.mu.Unlock()
		ctx := m.ctx
		if ctx == nil {
			ctx = c.system.base
		}
		err := contain.Call("its mailbox", func() error { return c.process.Post(ctx, m.envelope) })
		if err != nil {
			c.unposted(m, err)
		}
		h.mu.Lock()
		h.messages[0] = heldMessage{}
		h.messages = h.messages[1:]
		if more = h.count.Add(-1) > 0; !more { // from now on others need not go behind
			h.messages = nil
		}
		h.mu.Unlock()
		m.settle()
	}
}
