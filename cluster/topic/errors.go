package topic

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// refusal is an error for what surely was not done.
func refusal(code actor.Code, format string, args ...any) *actor.Error {
	return &actor.Error{Code: code, Message: "topic: " + fmt.Sprintf(format, args...), NotRun: true}
}

// errLeft wraps cluster.ErrLeft.
func errLeft(n *cluster.Node) *actor.Error {
	return &actor.Error{
		Code: cluster.ErrLeft.Code, Reason: cluster.ErrLeft.Reason, NotRun: true,
		Message: "topic: node " + n.Name() + " is leaving or has left cluster " + n.Cluster(),
	}
}

// ended is the error for what was not done since ctx had ended.
func ended(ctx context.Context, format string, args ...any) error {
	err := refusal(actor.CodeOf(ctx.Err()), format, args...)
	err.Message += ": " + context.Cause(ctx).Error()
	return err
}
