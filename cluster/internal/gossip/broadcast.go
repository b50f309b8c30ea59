package gossip

import (
	"math"
	"slices"
	"sync"
)

// broadcastQueue holds the catalogs that go out with the next gossip packets,
// the least often sent first. It stands in for memberlist's
// TransmitLimitedQueue, which in v0.7.0 loses a message when another of the
// same length is queued after a replacement emptied the queue: it then gives
// both the same key.
type broadcastQueue struct {
	mult int // repetitions per decimal digit of the number of members

	mu      sync.Mutex
	members int
	items   []broadcast // by times sent
}

type broadcast struct {
	name string // of the member: at most one catalog of each is queued
	wire []byte
	sent int
}

// setMembers tells how many members there are: it decides how often a catalog
// is repeated.
func (q *broadcastQueue) setMembers(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.members = n
}

// add queues a catalog in place of a former one of the same member.
func (q *broadcastQueue) add(c catalog) {
	name := c.name()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = slices.DeleteFunc(q.items, func(b broadcast) bool { return b.name == name })
	q.items = slices.Insert(q.items, 0, broadcast{name: name, wire: c.wire})
}

// holds reports whether a catalog of the named member still has to go out.
func (q *broadcastQueue) holds(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.items, func(b broadcast) bool { return b.name == name })
}

// take returns encoded catalogs that fit the limit with an overhead for each.
func (q *broadcastQueue) take(overhead, limit int) [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil
	}
	repeat := q.mult * int(math.Ceil(math.Log10(float64(q.members+1))))
	var out [][]byte
	var waiting, again []broadcast
	for _, b := range q.items {
		size := overhead + len(b.wire)
		if size > limit {
			waiting = append(waiting, b)
			continue
		}
		limit -= size
		out = append(out, b.wire)
		if b.sent++; b.sent < repeat {
			again = append(again, b)
		}
	}
	q.items = append(waiting, again...)
	return out
}
