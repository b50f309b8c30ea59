package actor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/mailbox"
)

// held are the messages from other nodes that wait for room in one actor's mailbox, oldest
// first. While there are any, what comes goes behind them.
type held struct {
	count atomic.Int64

	mu       sync.Mutex
	messages []heldMessage
}

type heldMessage struct {
	envelope Envelope
	ctx      context.Context // of a request; nil if it is told
	settled  func()          // may be nil
}

// longWait is how long messages wait before that is logged.
const longWait = 2 * time.Second

// deliver queues a message from another node, or holds it if it may wait for room.
func (c *cell) deliver(e Envelope, d *Delivery) error {
	if h := c.held.Load(); d.Held == nil || h == nil || h.count.Load() == 0 {
		err := c.process.TryPost(e)
		if d.Held != nil && errors.Is(err, mailbox.ErrFull) {
			err = c.process.Post(ended(), e) // not every queue has its senders wait
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

// ended returns a context that has ended, for a queue to say whether it would wait.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// hold keeps a message until the mailbox has room.
func (c *cell) hold(e Envelope, d *Delivery) error {
	m := heldMessage{envelope: e, settled: d.Held(*d)}
	if k, ok := e.message.(request); ok {
		m.ctx = k.context()
	}
	s := c.system
	s.mu.RLock() // Stop waits for the goroutines that have begun when it closes the system
	defer s.mu.RUnlock()
	if s.closing {
		m.settle()
		return notRun(Unavailable, "the system is stopping, and the mailbox of %s is full", c)
	}
	h := c.held.Load()
	if h == nil {
		c.held.CompareAndSwap(nil, new(held))
		h = c.held.Load()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, m)
	if h.count.Add(1) == 1 {
		s.work.Go(func() { c.admit(h) })
	}
	return nil
}

func (m heldMessage) settle() {
	if m.settled != nil {
		m.settled()
	}
}

// admit queues what is held as the mailbox gets room. A mailbox that is closed refuses it.
func (c *cell) admit(h *held) {
	slow := time.AfterFunc(longWait, func() {
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
		err := contained("its mailbox", func() error { return c.process.Post(ctx, m.envelope) })
		if err != nil {
			c.system.undelivered(m.envelope, c, c.refused(m.ctx, err))
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
