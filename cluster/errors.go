package cluster

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/transport"
	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// ErrNameTaken is wrapped by the error of Join, or of [Node.Err], when another
// live node of the cluster has this node's name.
var ErrNameTaken = actor.NewError(actor.AlreadyExists, "node name taken")

// ErrLeft is wrapped by errors of a node that has left its cluster.
var ErrLeft = actor.NewError(actor.Unavailable, "node has left")

// ErrWrongSecret is wrapped by the error of Join when a seed refuses this node, or
// is refused: it belongs to another cluster, or has another secret.
var ErrWrongSecret = actor.NewError(actor.Unauthenticated, "wrong secret")

// ErrVersion is wrapped by the errors about a node of another major version: by that of
// Join when a seed is one, and by those of messages, which were not sent. The error names
// both nodes; run the same major version on all of them.
var ErrVersion = actor.NewError(actor.Unavailable, "other major version")

// unavailable is an error for a message that surely was not handled.
func unavailable(format string, args ...any) *actor.Error {
	return &actor.Error{Code: actor.Unavailable, Message: fmt.Sprintf(format, args...), NotRun: true}
}

// fromTransport turns an error of a link into what a caller gets.
func fromTransport(err error) *actor.Error {
	var e *transport.Error
	if !errors.As(err, &e) {
		return actor.AsError(err)
	}
	switch e.Kind {
	case transport.Failed:
		return &actor.Error{Code: actor.Code(e.Code), Reason: e.Reason, Message: e.Text, NotRun: e.NotRun}
	case transport.ContextEnded:
		return &actor.Error{Code: contextCode(e.Err), Message: e.Error()}
	case transport.Lost:
		return &actor.Error{Code: actor.Unavailable, Reason: hangsIf(e), Message: e.Error()}
	}
	code, reason := actor.Unavailable, hangsIf(e)
	switch {
	case errors.Is(e.Err, transport.ErrVersion):
		code, reason = ErrVersion.Code, ErrVersion.Reason
	case errors.Is(e.Err, transport.ErrTooLarge):
		code = actor.InvalidArgument
	case errors.Is(e.Err, transport.ErrQueueFull), errors.Is(e.Err, transport.ErrReceiverFull):
		code = actor.ResourceExhausted
	case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled):
		ended := actor.AsError(actor.Errorf(contextCode(e.Err), "%w", e)) // the cause may be the sender's own
		ended.Reason, ended.NotRun = "", true
		return ended
	}
	return &actor.Error{Code: code, Reason: reason, Message: e.Error(), NotRun: true}
}

// hangs is the reason of an error about a node whose process does not react, but may yet.
const hangs = "process hangs"

func hangsIf(e *transport.Error) string {
	if errors.Is(e.Err, transport.ErrHangs) {
		return hangs
	}
	return ""
}

func contextCode(err error) actor.Code {
	if errors.Is(err, context.DeadlineExceeded) {
		return actor.DeadlineExceeded
	}
	return actor.Canceled
}

// failure puts err into an envelope.
func failure(id uint64, err error) *wire.Envelope {
	e := actor.AsError(err)
	return &wire.Envelope{
		Kind: wire.Failure, ID: id,
		Code: uint32(e.Code), Reason: e.Reason, Text: truncate(e.Message), NotRun: e.NotRun,
	}
}

// maxErrorText keeps an error from becoming a message of its own size.
const maxErrorText = 4096

func truncate(text string) string {
	if len(text) <= maxErrorText {
		return text
	}
	end := maxErrorText
	for end > maxErrorText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
