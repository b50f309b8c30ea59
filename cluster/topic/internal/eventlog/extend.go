package eventlog

import (
	"container/heap"
	"time"
)

// Extend gives the consumer its AckDeadline anew for all that it has. It is for one that
// sees to the deadline of each delivery itself, and so shows that it is there; it is not
// late any more.
func (c *Consumer) Extend() {
	g := c.group
	p := g.log.p
	p.mu.Lock()
	defer p.mu.Unlock()
	due := time.Now().Add(c.config.AckDeadline)
	for _, e := range c.delivered {
		e.due = due
	}
	heap.Init(g.timed)
	c.late = false
	g.wake()
}
