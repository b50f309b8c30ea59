package actor

import (
	"context"
	"errors"
	"fmt"
)

// Error is what every failed Ask or Tell returns. It crosses the network as a
// whole, but for the error it wraps.
type Error struct {
	// Code says what kind of failure it is.
	Code Code
	// Reason identifies a particular error of an application, such as
	// "insufficient funds"; see [NewError]. It is empty for Troupe's own.
	Reason string
	// Message is for people: what happened, and what to do next.
	Message string
	// NotRun reports that the message surely was not handled, so that sending
	// it again, anywhere, cannot make it happen twice.
	NotRun bool

	cause error `codec:"-" json:"-"`
}

// NewError returns an error to be kept in a variable and returned by handlers.
// errors.Is recognises it by code and reason, also when the caller is in another
// process:
//
//	var ErrInsufficientFunds = actor.NewError(actor.FailedPrecondition, "insufficient funds")
func NewError(code Code, reason string) *Error {
	return &Error{Code: code, Reason: reason, Message: reason}
}

// Errorf returns an error with a code. It wraps the operand of %w as fmt.Errorf does.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: code, Message: err.Error()}
	switch err.(type) {
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		e.cause = err
	}
	if inner := find(err); inner != nil {
		e.Reason = inner.Reason
	}
	return e
}

// CodeOf returns the code of err: OK for nil, that of the first Error or Code in
// its tree, DeadlineExceeded and Canceled for the errors of package context, and
// else Unknown.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if e := find(err); e != nil {
		return e.Code
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Unknown
}

// Error returns the code and the message.
func (e *Error) Error() string {
	switch {
	case e == nil: // a handler's mistake; see AsError
		return "a nil *actor.Error, returned as an error"
	case e.Message == "":
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Message
}

// find returns the first Error in err's tree, nil if there is none.
func find(err error) *Error {
	e, _ := errors.AsType[*Error](err)
	return e
}

// Unwrap returns the error that Errorf wrapped, if any.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// Is lets errors.Is match a Code, an Error with the same code and reason, and the
// errors of package context.
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	switch target := target.(type) {
	case Code:
		return e.Code == target
	case *Error:
		return target.Reason != "" && e.Code == target.Code && e.Reason == target.Reason
	}
	switch target {
	case context.DeadlineExceeded:
		return e.Code == DeadlineExceeded
	case context.Canceled:
		return e.Code == Canceled
	}
	return false
}

// AsError returns err as the Error that a caller gets: err itself if it is one,
// else a new one with err's code that wraps it. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	switch {
	case !ok:
	case e == nil:
		return &Error{Code: Unknown, Message: e.Error()}
	default:
		return e
	}
	e = &Error{Code: CodeOf(err), Message: err.Error(), cause: err}
	if inner := find(err); inner != nil {
		e.Reason = inner.Reason
		e.NotRun = inner.NotRun
	}
	return e
}

// handlerError returns what the caller gets for an error of a handler. An error
// that the handler got from another actor may say NotRun, but the handler ran.
func handlerError(err error) *Error {
	e := AsError(err)
	if e.NotRun {
		ran := *e
		ran.NotRun, ran.cause = false, err
		return &ran
	}
	return e
}

// contextError describes why ctx ended, for a message that may have been handled.
func contextError(ctx context.Context) *Error {
	err := context.Cause(ctx)
	if CodeOf(ctx.Err()) == DeadlineExceeded {
		return &Error{Code: DeadlineExceeded, Message: "no reply within the caller's deadline", cause: err}
	}
	return &Error{Code: Canceled, Message: "the caller gave up waiting: " + err.Error(), cause: err}
}

// notRun returns an error for a message that surely was not handled.
func notRun(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), NotRun: true}
}
