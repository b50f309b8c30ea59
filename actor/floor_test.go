package actor_test

import (
	"sync"
	"testing"
	"time"
)

// compare runs b.N operations of ours and of its floor, in turns so that both see
// the same machine, and reports how many times the floor's time ours took.
func compare(b *testing.B, floor, ours func(n int)) {
	b.Helper()
	b.ReportAllocs()
	const rounds = 8
	var spentFloor, spentOurs time.Duration
	b.ResetTimer()
	for left, round := b.N, 0; left > 0; round++ {
		n := min(left, max(1, b.N/rounds))
		left -= n
		b.StopTimer()
		start := time.Now()
		floor(n)
		spentFloor += time.Since(start)
		b.StartTimer()
		start = time.Now()
		ours(n)
		spentOurs += time.Since(start)
	}
	b.StopTimer()
	b.ReportMetric(float64(spentFloor.Nanoseconds())/float64(b.N), "floor-ns/op")
	b.ReportMetric(float64(spentOurs)/float64(spentFloor), "x-floor")
}

// bareQueue is the least that can be called a mailbox: a linked list under a mutex.
type bareQueue struct {
	pool *barePool

	mu         sync.Mutex
	head, tail *bareNode
	scheduled  bool

	handle func(*bareNode)
}

type bareNode struct {
	next  *bareNode
	value int
	reply chan int
}

func (q *bareQueue) push(n *bareNode) {
	q.mu.Lock()
	if q.tail == nil {
		q.head = n
	} else {
		q.tail.next = n
	}
	q.tail = n
	wake := !q.scheduled
	q.scheduled = true
	q.mu.Unlock()
	if wake {
		q.pool.ready <- q
	}
}

// turn handles all that waits.
func (q *bareQueue) turn() {
	for {
		q.mu.Lock()
		n := q.head
		if n == nil {
			q.scheduled = false
			q.mu.Unlock()
			return
		}
		if q.head = n.next; q.head == nil {
			q.tail = nil
		}
		q.mu.Unlock()
		q.handle(n)
	}
}

// barePool is two goroutines that run the queues.
type barePool struct {
	ready   chan *bareQueue
	workers sync.WaitGroup
}

func newBarePool() *barePool {
	p := &barePool{ready: make(chan *bareQueue, 1024)}
	for range 2 {
		p.workers.Go(func() {
			for q := range p.ready {
				q.turn()
			}
		})
	}
	return p
}

func (p *barePool) stop() {
	close(p.ready)
	p.workers.Wait()
}

// countdown is done after n steps of one goroutine.
type countdown struct {
	left int
	done chan struct{}
}

func (c *countdown) step() {
	if c.left--; c.left == 0 {
		c.done <- struct{}{}
	}
}
