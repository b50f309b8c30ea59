package actor

import "fmt"

// Code classifies an error the way gRPC does (https://grpc.io/docs/guides/status-codes/),
// with the same numbers. A Code is itself an error, so that
//
//	errors.Is(err, actor.Unavailable)
//
// asks whether err has that code, on either side of the network.
type Code uint32

// The codes. Troupe itself uses those whose comment says when.
const (
	OK                 Code = iota // no error
	Canceled                       // the caller gave up
	Unknown                        // a handler returned an error without a code
	InvalidArgument                // the message does not decode, or is nil or too large
	DeadlineExceeded               // the caller's deadline passed
	NotFound                       // no such actor: it never was, or it has stopped
	AlreadyExists                  // the name is taken
	PermissionDenied               // the peer may not do this
	ResourceExhausted              // a mailbox or a link is full
	FailedPrecondition             // not in this state
	Aborted                        // a concurrent change won
	OutOfRange                     // past the end
	Unimplemented                  // the actor has no handler for this message
	Internal                       // the actor crashed on this message
	Unavailable                    // the node or the actor went away; try again
	DataLoss                       // data cannot be recovered
	Unauthenticated                // the peer has not proved who it is
)

// String returns the name in lower case, such as "deadline exceeded".
func (c Code) String() string {
	switch c {
	case OK:
		return "ok"
	case Canceled:
		return "canceled"
	case Unknown:
		return "unknown"
	case InvalidArgument:
		return "invalid argument"
	case DeadlineExceeded:
		return "deadline exceeded"
	case NotFound:
		return "not found"
	case AlreadyExists:
		return "already exists"
	case PermissionDenied:
		return "permission denied"
	case ResourceExhausted:
		return "resource exhausted"
	case FailedPrecondition:
		return "failed precondition"
	case Aborted:
		return "aborted"
	case OutOfRange:
		return "out of range"
	case Unimplemented:
		return "unimplemented"
	case Internal:
		return "internal"
	case Unavailable:
		return "unavailable"
	case DataLoss:
		return "data loss"
	case Unauthenticated:
		return "unauthenticated"
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// Error makes a Code an error; see [Code].
func (c Code) Error() string { return c.String() }
