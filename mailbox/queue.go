package mailbox

import (
	"context"
	"errors"
)

var (
	// ErrFull means that the queue has no room and the value was not taken.
	ErrFull = errors.New("mailbox: full: send less, use a queue that waits for room, or give it more capacity")

	// ErrClosed means that the queue has been closed and the value was not
	// taken. No later push can succeed.
	ErrClosed = errors.New("mailbox: closed: its owner has ended, send to the owner's successor")
)

// Queue holds the messages of one mailbox, in the order in which they were
// pushed: the values of one sender leave as that sender pushed them.
//
// TryPush, Push and Len may be called by any number of goroutines at the same
// time. Pop and Close belong to the consumer: they may run beside pushes, but
// not beside each other. Package queuetest holds the tests that every
// implementation has to pass.
type Queue[T any] interface {
	// TryPush adds v and never blocks. It returns ErrFull when there is no
	// room and ErrClosed after Close; v was then not taken.
	TryPush(v T) error

	// Push adds v and, if that is the queue's policy, waits for room until ctx
	// ends. It returns ErrFull when there is no room and the queue does not
	// wait, ErrClosed after Close, and an error that wraps context.Cause(ctx)
	// when it gave up waiting; v was then not taken. A context that has ended
	// does not matter as long as there is room.
	Push(ctx context.Context, v T) error

	// Pop removes and returns the oldest value, or reports false when the
	// queue is empty. It never blocks.
	Pop() (v T, ok bool)

	// Len returns an estimate of the number of queued values: it may lag
	// behind pops, but is 0 when the queue has been drained.
	Len() int

	// Close makes later pushes fail with ErrClosed, wakes those that wait in
	// Push with the same error, and returns what was left, oldest first. The
	// slice belongs to the caller. A second Close returns nil.
	Close() []T
}
