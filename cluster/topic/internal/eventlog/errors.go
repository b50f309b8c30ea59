package eventlog

import (
	"fmt"

	"github.com/troupe-go/troupe/actor"
)

// The errors of a partition, for errors.Is. Others are those of its store.
var (
	// ErrFenced says that the partition has been opened elsewhere, with the same or a
	// later epoch: whoever gets it must stop using this one.
	ErrFenced = actor.NewError(actor.Aborted, "partition has another owner")
	// ErrClosed says that the partition is closed.
	ErrClosed = actor.NewError(actor.Unavailable, "partition is closed")
	// ErrFull says that the log is at its limits, or that more is being appended than
	// the store takes: try again later.
	ErrFull = actor.NewError(actor.ResourceExhausted, "event log is full")
	// ErrCorrupt says that a record is not what was written, or is missing.
	ErrCorrupt = actor.NewError(actor.DataLoss, "event log is corrupt")
	// ErrNotDelivered says that a delivery is over: it has been acknowledged or refused
	// before, its deadline has passed, or its consumer has left.
	ErrNotDelivered = actor.NewError(actor.FailedPrecondition, "delivery is over")
	// ErrNoGroup says that the log has no group of that name.
	ErrNoGroup = actor.NewError(actor.NotFound, "no such group")
	// ErrGroupInUse says that a group with consumers cannot be deleted.
	ErrGroupInUse = actor.NewError(actor.FailedPrecondition, "group has consumers")
)

// notRun returns an error for what surely was not done.
func notRun(code actor.Code, format string, args ...any) error {
	e := *actor.AsError(actor.Errorf(code, "eventlog: "+format, args...))
	e.NotRun = true
	return &e
}

func invalid(format string, args ...any) error {
	return notRun(actor.InvalidArgument, format, args...)
}

// corrupt returns an error that is ErrCorrupt.
func corrupt(format string, args ...any) error {
	return actor.Errorf(ErrCorrupt.Code, "eventlog: %w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// unknown returns the error for what may have been done or come about yet.
func unknown(code actor.Code, err error) error {
	return actor.Errorf(code, "eventlog: it is not known whether it has been stored; try again with the same IDs: %w", err)
}

// storeCode returns the code for an error of the store. That a call of the store has ended
// says nothing of the context of who waits for it.
func storeCode(err error) actor.Code {
	switch code := actor.CodeOf(err); code {
	case actor.Unknown, actor.Canceled, actor.DeadlineExceeded:
		return actor.Unavailable
	default:
		return code
	}
}

// ended returns err, of a partition that has ended, as the error for what was not begun.
func ended(err error) error { return notRun(actor.CodeOf(err), "%w", err) }
