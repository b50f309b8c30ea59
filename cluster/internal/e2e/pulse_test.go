package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
)

// Pulse is the protocol of virtual actors that say where they are.
type Pulse struct{}

// Feel is answered by whoever has the key.
type Feel struct {
	actor.Call[Pulse, Felt]
}

// Felt says where it is.
type Felt struct{ Node string }

type heart struct{ node string }

func (h *heart) feel(*actor.Context, Feel) (Felt, error) { return Felt{Node: h.node}, nil }

// beat serves virtual actors, and one for the whole cluster.
func beat(node *cluster.Node) error {
	define := func(name string) actor.Definition[Pulse] {
		return actor.Define(name, func() *heart { return &heart{node: node.Name()} }, actor.OnCall((*heart).feel))
	}
	if err := virtual.Serve(node, define("heart"), virtual.Shards(32)); err != nil {
		return err
	}
	_, err := virtual.Singleton(node, define("master"))
	return err
}

// pulses asks virtual actors and the singleton, each again and again, and notes how long
// it went without an answer.
type pulses struct {
	cancel  context.CancelFunc
	feelers sync.WaitGroup

	mu      sync.Mutex
	felt    map[string]*pulseOf
	changed chan struct{} // closed at the next answer
}

type pulseOf struct {
	was, is string    // the node, at the mark and now
	since   time.Time // when it came there
	at      time.Time
	gap     time.Duration // the longest since the mark
}

// pulseReport says how long the actors of one node were gone, and how long at most any
// of the others.
type pulseReport struct {
	Actors                   int
	Moved, Singleton, Stayed time.Duration
}

const singletonPulse = "the singleton"

func (c *child) feel() {
	node := c.node.Load()
	refs := map[string]actor.Ref[Pulse]{singletonPulse: virtual.Ref[Pulse](node, "master", "")}
	for i := range 24 {
		key := fmt.Sprint(i)
		refs[key] = virtual.Ref[Pulse](node, "heart", key)
	}
	p := &pulses{felt: make(map[string]*pulseOf), changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	for key, ref := range refs {
		p.felt[key] = &pulseOf{at: time.Now()}
		p.feelers.Go(func() {
			for ctx.Err() == nil {
				asking, done := context.WithTimeout(ctx, patience)
				felt, err := actor.Ask(asking, ref, Feel{})
				done()
				if err == nil {
					p.note(key, felt.Node)
				}
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
	c.pulses = p
}

func (p *pulses) note(key, node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, now := p.felt[key], time.Now()
	f.gap = max(f.gap, now.Sub(f.at))
	if f.at = now; f.is != node {
		f.is, f.since = node, now
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until what is felt satisfies a condition.
func (p *pulses) await(ctx context.Context, condition func() bool) error {
	for {
		p.mu.Lock()
		done, changed := condition(), p.changed
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// spread waits until all actors answer, some on each of the nodes, and none has moved for
// a second.
func (p *pulses) spread(ctx context.Context, nodes []string) error {
	return p.await(ctx, func() bool {
		missing := make(map[string]bool)
		for _, n := range nodes {
			missing[n] = true
		}
		for _, f := range p.felt {
			if f.is == "" || time.Since(f.since) < time.Second {
				return false
			}
			delete(missing, f.is)
		}
		return len(missing) == 0
	})
}

// mark begins a measurement.
func (p *pulses) mark() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.felt {
		f.was, f.gap = f.is, 0
	}
}

// moved waits until everything that was on a node answers elsewhere.
func (p *pulses) moved(ctx context.Context, from string) (r pulseReport, err error) {
	err = p.await(ctx, func() bool {
		for _, f := range p.felt {
			if f.is == from {
				return false
			}
		}
		return true
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, f := range p.felt {
		switch {
		case f.was != from:
			r.Stayed = max(r.Stayed, f.gap)
		case key == singletonPulse:
			r.Singleton = f.gap
		default:
			r.Actors++
			r.Moved = max(r.Moved, f.gap)
		}
	}
	return r, err
}
