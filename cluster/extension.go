package cluster

import (
	"context"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/actor"
)

// Extension is what a package built on this one adds to a node: references of its
// own, and actors that are there when they are needed. Package virtual is one. Its
// methods may be called concurrently and must not block.
type Extension interface {
	// Resolve returns what stands behind a path that begins with the extension's
	// name and "://".
	Resolve(path string) (actor.Recipient, error)
	// Deliver takes a message that another node has sent to an actor whose path
	// begins with the extension's name and ":". It does what
	// actor.System.Deliver promises.
	Deliver(ctx context.Context, d actor.Delivery) error
}

// Extend returns the extension of this node with that name, made at the first call.
// make must not use the node's extensions.
func (n *Node) Extend(name string, make func() Extension) Extension {
	return n.extensions.add(name, make)
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

// deliver gives a message from another node to the actor it is for.
func (n *Node) deliver(ctx context.Context, d actor.Delivery) error {
	if x := n.extensions.of(d.Path); x != nil {
		return x.Deliver(ctx, d)
	}
	return n.system.Deliver(ctx, d)
}
