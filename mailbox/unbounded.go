package mailbox

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// keptSlots is the largest buffer, in values, that an empty queue keeps for its
// next use. Buffers start with one slot, so a quiet queue holds far less.
const keptSlots = 64

// lenLag is how many pops Unbounded.Len may lag behind. Publishing every pop
// would cost the consumer half as much again.
const lenLag = 16

// Unbounded is a Queue without a limit: a push neither waits nor fails for lack
// of room. It is made by NewUnbounded.
//
// Senders append to one slice while the consumer reads another. The two are
// swapped when the consumer comes to the end of its own, so it takes the
// senders' lock once per batch. A drained queue gives back the buffers of a
// burst.
type Unbounded[T any] struct {
	mu     sync.Mutex
	pushed []T
	closed bool

	unpopped atomic.Int64 // values left in popping, as last published

	// Owned by the consumer.
	popping []T
	next    int // index in popping of the oldest value
}

// NewUnbounded returns an empty queue, which has no buffer until the first push.
func NewUnbounded[T any]() *Unbounded[T] { return new(Unbounded[T]) }

// TryPush adds v. Its only error is ErrClosed, after Close. It may be called
// concurrently.
func (q *Unbounded[T]) TryPush(v T) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	if n := len(q.pushed); n == cap(q.pushed) {
		// Double it: append alone grows a large slice by a quarter, and so
		// copies each value of a backlog four times.
		q.pushed = slices.Grow(q.pushed, max(1, n))
	}
	q.pushed = append(q.pushed, v)
	q.mu.Unlock()
	return nil
}

// Push is TryPush: there is always room, so the context is not looked at.
func (q *Unbounded[T]) Push(_ context.Context, v T) error { return q.TryPush(v) }

// Pop removes and returns the oldest value, or reports false when the queue is
// empty. It never blocks. Only the consumer may call it.
func (q *Unbounded[T]) Pop() (v T, ok bool) {
	if q.next == len(q.popping) && !q.swap() {
		return v, false
	}
	slot := &q.popping[q.next]
	v = *slot
	var zero T
	*slot = zero // what v refers to must not stay reachable from here
	q.next++
	if left := len(q.popping) - q.next; left%lenLag == 0 {
		q.unpopped.Store(int64(left))
	}
	return v, true
}

// swap hands all that was pushed to the consumer, and the buffer that the
// consumer has emptied to the senders. It reports whether there was anything.
func (q *Unbounded[T]) swap() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	emptied := q.popping[:0]
	q.next = 0
	if len(q.pushed) == 0 {
		q.popping, q.pushed = reusable(emptied, 0), reusable(q.pushed, 0)
		return false
	}
	q.popping, q.pushed = q.pushed, reusable(emptied, len(q.pushed))
	q.unpopped.Store(int64(len(q.popping)))
	return true
}

// reusable returns buf, or nil if it is far larger than a batch of n needs.
func reusable[T any](buf []T, n int) []T {
	if cap(buf) > max(keptSlots, 4*n) {
		return nil
	}
	return buf
}

// Len returns an estimate of the number of queued values, at most 15 too high
// while the consumer is at work. It may be called concurrently.
func (q *Unbounded[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pushed) + int(q.unpopped.Load())
}

// Close makes later pushes fail with ErrClosed and returns what was left,
// oldest first. The slice belongs to the caller. A second Close returns nil.
// Only the consumer may call it.
func (q *Unbounded[T]) Close() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := append(q.popping[q.next:], q.pushed...)
	q.closed = true
	q.popping, q.pushed, q.next = nil, nil, 0
	q.unpopped.Store(0)
	if len(left) == 0 {
		return nil
	}
	return left
}
