package cluster

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// LeaveOption changes how a node leaves.
type LeaveOption interface{ applyToLeave(*departure) }

type leaveOption func(*departure)

func (f leaveOption) applyToLeave(d *departure) { f(d) }

// departure is how a node leaves.
type departure struct{ forGood bool }

// ForGood gives up the node's place in the replicated store, and its copy: it will not be
// back. Without it, the copy stays in the state folder, for the node to go on with.
func ForGood() LeaveOption { return leaveOption(func(d *departure) { d.forGood = true }) }

// Leave lets the node go: its services are withdrawn, its actors handle what they
// have, the others are told, and everything is closed. A node that keeps a copy of the
// replicated store keeps it on disk, and its place if [WithExpect] is more than 1: it
// leaves for a while, unless it leaves [ForGood].
//
// Leave returns when ctx ends, at the latest. Some time before that the actors are cut
// short: handlers find their contexts cancelled, and the error names those that went on.
// If it returns because ctx ended, its error names what has not ended yet, which goes on
// to: [Node.Done] tells when that is over. Leave may be called again; the options and the
// deadline of the first call count for what is done.
func (n *Node) Leave(ctx context.Context, options ...LeaveOption) error {
	n.leaving.Do(func() {
		n.departs.Store(true)
		var d departure
		for _, o := range options {
			o.applyToLeave(&d)
		}
		n.await("the start of its departure")
		go func() {
			defer n.waits.Begin(n.log, slog.LevelInfo, "this node leaves, and waits", n.unfinishedNow)()
			n.leave(ctx, d)
		}()
	})
	select {
	case <-n.left:
		return n.end
	default:
	}
	select {
	case <-n.left:
		return n.end
	case <-ctx.Done():
		return n.unfinished(ctx)
	}
}

// unfinished says what Leave did not wait for any longer.
func (n *Node) unfinished(ctx context.Context) error {
	return actor.Errorf(contextCode(context.Cause(ctx)), "cluster: node %q has not left in time: %w; not finished: %s", n.name, context.Cause(ctx), n.unfinishedNow())
}

// unfinishedNow says what the node that leaves waits for.
func (n *Node) unfinishedNow() string {
	n.mu.Lock()
	awaited := n.awaited
	n.mu.Unlock()
	return awaited()
}

// await says what the node that leaves waits for from now on.
func (n *Node) await(what string) { n.awaitWhat(func() string { return what }) }

func (n *Node) awaitWhat(what func() string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.awaited = what
}

// The actors get what there is of a context but a quarter, at most farewellReserve: that is
// for handing over and telling the others.
const (
	farewellReserve = 3 * time.Second
	drainTimeout    = time.Second // for the others to end their links, once they have been told
	farewellTimeout = 10 * time.Second
)

// reserve returns a context that ends some time before ctx does.
func reserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/4, farewellReserve)))
}

func (n *Node) leave(ctx context.Context, d departure) {
	defer close(n.left)
	var errs []error
	working, cancel := reserve(ctx)
	defer cancel()
	n.awaitWhat(n.farewells.unfinished)
	n.unfollow()
	n.farewells.run(working, n.log)
	n.await("the search for other nodes")
	if n.finder != nil {
		n.finder.stop(working)
	}
	if n.gossip != nil {
		n.directory.remove(func(served) bool { return true })
	}
	n.await("its actors")
	if n.system != nil {
		errs = append(errs, n.system.Stop(working))
	}
	given := ctx
	// Also when the actors took all the time there was, the others are told.
	ctx, cancelFarewell := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
	defer cancelFarewell()
	if n.store != nil {
		n.await("giving back what its session owns")
		n.endSession(ctx)
		n.awaitWhat(func() string { return "the replicated store: " + n.store.core.Occupation() })
		errs = append(errs, n.store.core.Leave(ctx, d.forGood))
	}
	n.await("its last answers, which are on their way")
	if n.transport != nil {
		errs = append(errs, n.transport.Flush(ctx))
	}
	n.await("its farewell to the others")
	if n.gossip != nil {
		spreading, cancel := reserve(given) // each is told once, even if no time is left
		errs = append(errs, n.gossip.Leave(spreading))
		n.drain(spreading)
		cancel()
	}
	n.await("its connections")
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
	if n.store != nil {
		n.awaitWhat(func() string { return "the replicated store: " + n.store.core.Occupation() })
		_ = n.store.core.Close() // it may take longer than ctx allowed; its error is known
	}
	if n.slot != nil {
		errs = append(errs, n.slot.Release())
	}
	if n.end = errors.Join(errs...); n.end == nil {
		n.log.Info("left")
	}
}

// drain waits for what the others sent before they were told.
func (n *Node) drain(ctx context.Context) {
	if n.transport == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	n.transport.Drain(ctx)
}

// endSession gives back what the node owns. Where that fails, its session runs out.
func (n *Node) endSession(ctx context.Context) {
	if s := n.sessions.end(); s != nil {
		if err := s.session.Close(ctx); err != nil {
			n.log.Debug("the session was left to run out", "error", err)
		}
	}
}
