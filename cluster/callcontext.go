package cluster

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of a call from another node. The timer and the
// channel, which are dear, are made when somebody looks: most handlers do not.
type callContext struct {
	context.Context           // of the sender: it never ends
	deadline        time.Time // zero if there is none

	mu     sync.Mutex
	live   context.Context // nil until somebody looks
	cancel context.CancelFunc
	over   bool
}

// maxTimeout is longer than any caller waits; what is above would overflow.
const maxTimeout = 365 * 24 * time.Hour

// newCallContext returns the context of a call that has so many nanoseconds left;
// 0 if it has no deadline.
func newCallContext(sender context.Context, timeout uint64) *callContext {
	c := &callContext{Context: sender}
	if timeout != 0 && timeout <= uint64(maxTimeout) {
		c.deadline = time.Now().Add(time.Duration(timeout))
	}
	return c
}

func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *callContext) Done() <-chan struct{} { return c.look().Done() }

func (c *callContext) Err() error {
	c.mu.Lock()
	running := c.live == nil && !c.over
	c.mu.Unlock()
	if running && (c.deadline.IsZero() || time.Now().Before(c.deadline)) {
		return nil
	}
	return c.look().Err()
}

func (c *callContext) Value(key any) any {
	c.mu.Lock()
	live := c.live
	c.mu.Unlock()
	if live != nil {
		// The standard library looks for its own cancellation here; it must
		// find the one whose Done we returned.
		return live.Value(key)
	}
	return c.Context.Value(key)
}

func (c *callContext) look() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == nil {
		if c.deadline.IsZero() {
			c.live, c.cancel = context.WithCancel(c.Context)
		} else {
			c.live, c.cancel = context.WithDeadline(c.Context, c.deadline)
		}
		if c.over {
			c.cancel()
		}
	}
	return c.live
}

// end cancels the context: the call has been answered, or nobody waits for it.
func (c *callContext) end() {
	c.mu.Lock()
	c.over = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
