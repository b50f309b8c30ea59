package cluster

import (
	"context"
	"errors"
	"time"
)

// Leave lets the node go: its services are withdrawn, its actors handle what they
// have, the others are told, and everything is closed. When ctx ends before the
// actors are done, they are cut short: handlers find their contexts cancelled, and
// the error names those that went on. It returns once the node's goroutines have
// ended, but for such handlers. It may be called again; the first ctx counts, and
// all calls return the same.
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
	// Also when the actors took all the time there was, the others are told.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
	defer cancel()
	if n.transport != nil {
		errs = append(errs, n.transport.Flush(ctx))
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
	if n.end = errors.Join(errs...); n.end == nil {
		n.log.Info("left")
	}
}

const farewellTimeout = 10 * time.Second
