package cluster

import (
	"context"
	"maps"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// Extension is what a package built on this one adds to a node: references of its
// own, and actors that are there when they are needed. Package virtual is one. A request
// with the mark of actor.Idempotent to such an actor of another node fails with
// Unavailable when that node has not reacted for a second. The methods of an Extension may
// be called concurrently and must not block. If Deliver panics, the message fails with
// Internal.
type Extension interface {
	// Resolve returns what stands behind a path that begins with the extension's
	// name and "://".
	Resolve(path string) (actor.Recipient, error)
	// Deliver takes a message that another node has sent to an actor whose path
	// begins with the extension's name and ":". It does what
	// actor.System.Deliver promises. The memory of d.Payload is used again when
	// it has returned.
	Deliver(ctx context.Context, d actor.Delivery) error
}

// Extend returns the extension of this node with that name, made at the first call.
// make must not use the node's extensions.
func (n *Node) Extend(name string, make func() Extension) Extension {
	return n.extensions.add(name, make)
}

// Send queues a message that is encoded already for another node, where the extension
// or the actor that d.Path belongs to gets it, as told. It is for those who send the
// same bytes to several nodes. It does not wait, and keeps nothing of d; d.Reply must
// be nil. What is sent to one path of a node arrives in order, each at most once.
//
// Errors are those of actor.Tell: Unavailable if the node is no member or cannot be
// reached now, ResourceExhausted if its link is full, InvalidArgument if the message is
// larger than the cluster's limit. All have the mark of NotRun.
func (n *Node) Send(node string, d actor.Delivery) error {
	p, err := n.link(node)
	if err != nil {
		return err
	}
	if d.Reply != nil {
		return &actor.Error{
			Code: actor.InvalidArgument, NotRun: true,
			Message: "what is sent to another node encoded is told: it cannot have a reply",
		}
	}
	sent := wire.Envelope{To: d.Path, UID: d.UID, Message: d.Message, ContentType: d.ContentType, Payload: d.Payload}
	if err := p.Tell(&sent); err != nil {
		return fromTransport(err)
	}
	return nil
}

// extensions are those of one node, by name. They are read for every message from
// another node.
type extensions struct {
	mu     sync.Mutex
	byName atomic.Pointer[map[string]Extension]
}

func (x *extensions) add(name string, make func() Extension) Extension {
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.named(name); known != nil {
		return known
	}
	made := make()
	all := map[string]Extension{name: made}
	if before := x.byName.Load(); before != nil {
		maps.Copy(all, *before)
	}
	x.byName.Store(&all)
	return made
}

// named returns an extension, nil if there is none with that name.
func (x *extensions) named(name string) Extension {
	if all := x.byName.Load(); all != nil {
		return (*all)[name]
	}
	return nil
}

// of returns the extension that the path of an actor, or of a Ref, belongs to.
func (x *extensions) of(path string) Extension {
	if x.byName.Load() == nil {
		return nil
	}
	if name, _, found := strings.Cut(path, ":"); found {
		return x.named(name)
	}
	return nil
}

// deliver gives a message from another node to the actor it is for. What it calls may be
// the user's.
func (n *Node) deliver(ctx context.Context, d actor.Delivery) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = actor.Errorf(actor.Internal, "what takes messages for %.200q panicked: %v", d.Path, v)
			n.log.Error("a message from another node was not delivered", "to", d.Path, "error", err, "stack", string(debug.Stack()))
		}
	}()
	if x := n.extensions.of(d.Path); x != nil {
		return x.Deliver(ctx, d)
	}
	return n.system.Deliver(ctx, d)
}
