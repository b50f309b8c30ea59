package virtual

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// refusal is an error for a message that surely was not handled.
func refusal(code actor.Code, format string, args ...any) *actor.Error {
	return &actor.Error{Code: code, Message: fmt.Sprintf(format, args...), NotRun: true}
}

// notHere tells a sender to look for the actor elsewhere, or again.
func notHere(name, why string) *actor.Error {
	return refusal(actor.Unavailable, "the virtual actor %s is not on this node: %s", refPath(name), why)
}

// leaving is notHere for a node that goes.
func leaving(name string) *actor.Error { return notHere(name, "its node is leaving") }

// isUntaken reports whether the message may be sent again, perhaps to another node: it
// surely was not handled, or may be handled twice.
func isUntaken(err error, message any) bool {
	e := actor.AsError(err)
	switch e.Code {
	case actor.Unavailable:
		return e.NotRun || actor.IsIdempotent(message)
	case actor.NotFound:
		return e.NotRun
	}
	return false
}

// hasNoRoom reports whether an envelope that does not wait found that it would have to.
func hasNoRoom(err error) bool {
	e := actor.AsError(err)
	return e.Code == actor.Canceled && e.NotRun
}

// overdue is the error for a request whose context ended while it waited.
func overdue(ctx context.Context, why reason) error {
	return &actor.Error{
		Code: actor.CodeOf(ctx.Err()), NotRun: why.last == nil || actor.AsError(why.last).NotRun,
		Message: fmt.Sprintf("the virtual actor %s was not reached in time; %v", refPath(why.name), why),
	}
}

func errLeft(n *cluster.Node) error {
	return &actor.Error{
		Code: cluster.ErrLeft.Code, Reason: cluster.ErrLeft.Reason, NotRun: true,
		Message: "node " + n.Name() + " is leaving cluster " + n.Cluster(),
	}
}
