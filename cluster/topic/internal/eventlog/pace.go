package eventlog

import (
	"sync"
	"time"
)

// pace lets events gather. Those that were told of a transaction are often back in a
// moment, and share the next one if that waits for them: for up to half of what one
// takes, as PostgreSQL's manual advises for its commit_delay. Its fields are under the
// partition's lock.
type pace struct {
	waiting  int           // events to be appended
	expected int           // how many seem to come again and again
	took     time.Duration // what the last transaction took
	full     chan struct{} // closed when so many are there; nil if nobody waits for that
}

func (c *pace) arrived(events int) {
	c.waiting += events
	if c.full != nil && c.waiting >= c.expected {
		close(c.full)
		c.full = nil
	}
}

// gather waits for those who are expected. It is called and returns with the lock.
func (c *pace) gather(lock *sync.Mutex) {
	if c.waiting == 0 || c.waiting >= c.expected || c.took == 0 {
		return
	}
	full := make(chan struct{})
	c.full = full
	late := time.NewTimer(c.took / 2)
	defer late.Stop()
	lock.Unlock()
	select {
	case <-full:
	case <-late.C:
	}
	lock.Lock()
	c.full = nil
}
