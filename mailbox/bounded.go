package mailbox

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// Overflow says what a Bounded queue does with a push when it is full.
type Overflow int

const (
	// Reject refuses the new value with ErrFull. It is the default.
	Reject Overflow = iota
	// Block lets Push wait for room. TryPush, which may not wait, returns
	// ErrFull.
	Block
	// DropOldest makes room by discarding the oldest value.
	DropOldest
)

// String returns the name of the constant.
func (o Overflow) String() string {
	switch o {
	case Reject:
		return "Reject"
	case Block:
		return "Block"
	case DropOldest:
		return "DropOldest"
	}
	return fmt.Sprintf("Overflow(%d)", int(o))
}

// Bounded is a Queue that holds a limited number of values. It is made by
// NewBounded. Every method may be called concurrently.
type Bounded[T any] struct {
	capacity int
	overflow Overflow
	dropped  func(T)

	mu     sync.Mutex
	values ring[T]
	closed bool
	// waiting holds a *pusher for each Push that waits, oldest first. Nobody
	// waits unless the queue is full.
	waiting list.List
}

// pusher is a Push that waits for room.
type pusher[T any] struct {
	value T
	done  chan error // takes one value: what Push has to return
}

// NewBounded returns an empty queue for capacity values, at least one: a
// smaller capacity counts as 1. The buffer grows as it is needed. An overflow
// that is not one of the constants counts as Reject.
//
// DropOldest calls dropped, unless it is nil, with each value it discards, in
// the goroutine whose push discarded it. No lock is held, so dropped may use
// the queue, and several pushes may call it at the same time.
func NewBounded[T any](capacity int, overflow Overflow, dropped func(T)) *Bounded[T] {
	return &Bounded[T]{capacity: max(1, capacity), overflow: overflow, dropped: dropped}
}

// TryPush adds v and never blocks. When the queue is full it discards the
// oldest value under DropOldest, and returns ErrFull under Reject and Block.
// After Close it returns ErrClosed.
func (q *Bounded[T]) TryPush(v T) error {
	q.mu.Lock()
	return q.pushAndUnlock(v)
}

// Push adds v. When the queue is full it waits under Block, until there is room
// or ctx ends; its error then wraps context.Cause(ctx). Pushes that wait are
// served in the order in which they came. Under the other policies, and while
// there is room, Push is TryPush.
func (q *Bounded[T]) Push(ctx context.Context, v T) error {
	q.mu.Lock()
	if q.overflow != Block || q.closed || q.values.n < q.capacity {
		return q.pushAndUnlock(v)
	}
	p := &pusher[T]{value: v, done: make(chan error, 1)}
	place := q.waiting.PushBack(p)
	q.mu.Unlock()

	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case err := <-p.done: // served while ctx ended
		return err
	default:
	}
	q.waiting.Remove(place)
	return fmt.Errorf("mailbox: gave up waiting for room: %w", context.Cause(ctx))
}

// pushAndUnlock adds v without waiting, and unlocks q.mu.
func (q *Bounded[T]) pushAndUnlock(v T) error {
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	if q.values.n < q.capacity {
		q.values.push(v)
		q.mu.Unlock()
		return nil
	}
	if q.overflow != DropOldest {
		q.mu.Unlock()
		return ErrFull
	}
	oldest, _ := q.values.pop()
	q.values.push(v)
	q.mu.Unlock()
	if q.dropped != nil {
		q.dropped(oldest)
	}
	return nil
}

// Pop removes and returns the oldest value, or reports false when the queue is
// empty. It never blocks.
func (q *Bounded[T]) Pop() (T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	v, ok := q.values.pop()
	if first := q.waiting.Front(); first != nil {
		p := q.waiting.Remove(first).(*pusher[T])
		q.values.push(p.value)
		p.done <- nil
	}
	return v, ok
}

// Len returns the number of queued values. A Push that waits does not count.
func (q *Bounded[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.values.n
}

// Close makes later pushes fail with ErrClosed, wakes those that wait in Push
// with the same error, and returns what was left, oldest first. The slice
// belongs to the caller. A second Close returns nil.
func (q *Bounded[T]) Close() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for first := q.waiting.Front(); first != nil; first = q.waiting.Front() {
		q.waiting.Remove(first).(*pusher[T]).done <- ErrClosed
	}
	return q.values.drain()
}
