package cluster

import (
	"context"
	"errors"
)

// Leave lets the node go: its services are withdrawn, its actors handle what they
// have, the others are told, and everything is closed. When ctx ends, what is not
// done yet is cut short; handlers find their contexts cancelled. It returns once
// the node's goroutines have ended, with an error if something was cut short, or
// when ctx has ended. It may be called again, and returns the same.
func (n *Node) Leave(ctx context.Context) error {
	n.leaving.Do(func() { go n.leave(ctx) })
	<-n.left
	return n.end
}

func (n *Node) leave(ctx context.Context) {
	defer close(n.left)
	var errs []error
	if n.finder != nil {
		n.finder.stop(ctx)
	}
	if n.gossip != nil {
		n.directory.remove(func(served) bool { return true })
	}
	if n.system != nil {
		errs = append(errs, n.system.Stop(ctx))
	}
	if n.gossip != nil {
		errs = append(errs, n.gossip.Leave(ctx))
	}
	if n.transport != nil {
		errs = append(errs, n.transport.Close(ctx))
	}
	if n.gossip != nil {
		errs = append(errs, n.gossip.Close())
	}
	if n.port != nil {
		errs = append(errs, n.port.Close())
	}
	n.running.Wait()
	if n.slot != nil {
		errs = append(errs, n.slot.Release())
	}
	n.end = errors.Join(errs...)
	if n.end == nil {
		n.log.Info("left")
	}
}
