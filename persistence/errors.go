package persistence

import "github.com/troupe-go/troupe/actor"

// The errors of a Store, for errors.Is. They are actor errors, so that a handler
// that returns one tells its caller, on whatever node.
var (
	// ErrNotFound says that there is no record with that key.
	ErrNotFound = actor.NewError(actor.NotFound, "no such record")
	// ErrConflict says that a condition of a transaction does not hold: somebody
	// else has changed the record. Read it again and decide anew.
	ErrConflict = actor.NewError(actor.Aborted, "record has changed")
	// ErrHistoryGone says that the changes after a revision are no longer kept:
	// list the records, and watch from there.
	ErrHistoryGone = actor.NewError(actor.OutOfRange, "history is gone")
	// ErrFull says that the store has reached its size limit, or the disk is
	// full. Nothing that was acknowledged is lost; reads go on.
	ErrFull = actor.NewError(actor.ResourceExhausted, "store is full")
	// ErrClosed says that the store is closed.
	ErrClosed = actor.NewError(actor.Unavailable, "store is closed")
	// ErrCorrupt says that a file of the store does not hold what was written.
	ErrCorrupt = actor.NewError(actor.DataLoss, "store is corrupt")
	// ErrFailed says that a write could not be completed, so that it is not known
	// what is on disk. The store only reads until it is opened again, and then has
	// everything that was acknowledged.
	ErrFailed = actor.NewError(actor.Internal, "store has failed")
	// ErrMismatch says that a record is not what a view reads: another type, or
	// another encoding.
	ErrMismatch = actor.NewError(actor.DataLoss, "record does not decode")
	// ErrVersion says that what is stored was written by a program of another major
	// version. Nothing was changed: open it with that program.
	ErrVersion = actor.NewError(actor.FailedPrecondition, "stored by another major version")
	// ErrInvalid says that a query, a transaction or an option makes no sense.
	ErrInvalid = actor.NewError(actor.InvalidArgument, "invalid request")
)
