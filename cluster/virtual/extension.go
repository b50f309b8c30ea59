package virtual

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// extension is what one node keeps for this package.
type extension struct {
	node    *cluster.Node
	open    opener
	ctx     context.Context // ends when the node leaves
	end     context.CancelFunc
	running sync.WaitGroup

	kinds sync.Map // of *kind, by name: those in use
	mu    sync.Mutex
	left  bool // nothing is started any more
}

var _ cluster.Extension = (*extension)(nil)

func extensionOf(n *cluster.Node) *extension { return extend(n, sessionsOf(n)) }

func extend(n *cluster.Node, open opener) *extension {
	return n.Extend(extensionName, func() cluster.Extension {
		x := &extension{node: n, open: open}
		x.ctx, x.end = context.WithCancel(context.Background())
		n.OnLeave(x.leave)
		return x
	}).(*extension)
}

// kind returns what this node knows of a kind, and begins to.
func (x *extension) kind(name string) *kind {
	if k, ok := x.kinds.Load(name); ok {
		return k.(*kind)
	}
	k, _ := x.kinds.LoadOrStore(name, newKind(x, name))
	return k.(*kind)
}

// run starts a goroutine that must end when the extension's context does. Once the
// node leaves it returns false.
func (x *extension) run(f func(ctx context.Context)) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.left {
		x.running.Go(func() { f(x.ctx) })
	}
	return !x.left
}

// settleTimeout is how long a node that leaves, and has handed over what ran on it, waits
// for what its own callers have sent to reach the new owners.
const settleTimeout = 2 * time.Second

// leave hands over what runs here, and sees to what still waits to be sent from here.
func (x *extension) leave(ctx context.Context) {
	var leaving sync.WaitGroup
	for _, k := range x.kinds.Range {
		if h := k.(*kind).server.Load(); h != nil {
			leaving.Go(func() { h.leave(ctx) })
		}
	}
	leaving.Wait()
	x.settle(ctx)
	x.mu.Lock()
	x.left = true
	x.mu.Unlock()
	x.end()
	x.running.Wait()
}

// settle returns when nothing waits any more for the owner of its shard.
func (x *extension) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for x.isWaiting() && pause(ctx, settlePause) {
	}
}

const settlePause = 10 * time.Millisecond

func (x *extension) isWaiting() bool {
	for _, k := range x.kinds.Range {
		if k := k.(*kind); k.waiting.Load() > 0 || k.backlog.count.Load() > 0 {
			return true
		}
	}
	return false
}

// Resolve implements cluster.Extension.
func (x *extension) Resolve(path string) (actor.Recipient, error) {
	kindName, key, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	return ref{extension: x, kind: kindName, name: actorName(kindName, key)}, nil
}

// Deliver implements cluster.Extension.
func (x *extension) Deliver(ctx context.Context, d actor.Delivery) error {
	if strings.Contains(d.Path, "/") { // a child of an activation
		return x.node.System().Deliver(ctx, d)
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(d.Path, extensionName+":"), ":")
	k, ok := x.kinds.Load(name)
	if !ok {
		return notHere(d.Path, "its node does not use the kind")
	}
	return k.(*kind).deliver(ctx, d)
}

// pause waits for d; false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
