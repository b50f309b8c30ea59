package lock

import "github.com/troupe-go/troupe/actor"

// The errors of this package, for errors.Is.
var (
	// ErrHeld says that others hold the lock, or wait for it. Try again later, or wait
	// with Acquire.
	ErrHeld = actor.NewError(actor.FailedPrecondition, "lock is held")
	// ErrLost says that somebody else may hold the lock now: the session of the node
	// has ended, or the record of the holder was deleted. Stop what the lock was for,
	// and acquire it again.
	ErrLost = actor.NewError(actor.Aborted, "lock is lost")
	// ErrReleased says that Release was called.
	ErrReleased = actor.NewError(actor.FailedPrecondition, "lock is released")
)
