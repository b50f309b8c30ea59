package topic

import (
	"errors"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// What the Reason of an error says to the group of a durable topic, also when it comes
// from an actor on another node.
const (
	retryReason  = "retry the event after "
	rejectReason = "reject the event"
)

// RetryAfter returns an error for the handler of a durable topic, or an actor that has
// subscribed to one: the event is delivered again after that time at the earliest,
// unless this was its last attempt. It wraps cause, which may be nil.
func RetryAfter(delay time.Duration, cause error) error {
	return instruction(retryReason+delay.String(), "try the event again later", cause)
}

// Reject returns an error for the handler of a durable topic, or an actor that has
// subscribed to one: the event becomes a dead letter at once, since nobody can handle it.
// It wraps cause, which may be nil.
func Reject(cause error) error { return instruction(rejectReason, "the event is rejected", cause) }

func instruction(reason, text string, cause error) error {
	code := actor.FailedPrecondition
	if cause == nil {
		return &actor.Error{Code: code, Reason: reason, Message: text}
	}
	if c := actor.CodeOf(cause); c != actor.Unknown {
		code = c
	}
	e := *actor.AsError(actor.Errorf(code, "%w", cause))
	e.Reason = reason
	return &e
}

// An event whose handler has failed comes again after a pause that doubles.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

// outcomeOf returns what becomes of a delivery that the handler has failed on.
func outcomeOf(e *stored, err error) refused {
	r := refused{Tag: e.Tag, Error: err.Error(), Delay: lastRetry}
	if doublings := e.Attempt - 1; doublings < 10 {
		r.Delay = min(firstRetry<<doublings, lastRetry)
	}
	if isUndecodable(err) {
		r.Reject = true
	} else if told, ok := errors.AsType[*actor.Error](err); ok {
		text, retry := strings.CutPrefix(told.Reason, retryReason)
		if delay, err := time.ParseDuration(text); retry && err == nil {
			r.Delay = max(0, delay)
		}
		if r.Reject = told.Reason == rejectReason; r.Reject || retry {
			r.Error = told.Message // the code of an instruction says nothing
		}
	}
	// More is not kept, and might be too large for the link to the owner.
	r.Error = strings.ToValidUTF8(r.Error[:min(len(r.Error), eventlog.MaxErrorSize)], "")
	return r
}

// undecodable is the error for an event that is not what the subscription is for.
type undecodable struct{ error }

func (u *undecodable) Unwrap() error { return u.error }

func isUndecodable(err error) bool {
	_, is := errors.AsType[*undecodable](err)
	return is
}
