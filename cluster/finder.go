package cluster

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/security"
)

// finder runs the discoveries for as long as the node lives: peers may start
// later, and a cluster that was split must find itself again.
type finder struct {
	node   *Node
	ways   []Discovery
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	refusal error           // the first by a seed
	warned  map[string]bool // what was complained about
}

// The pauses between two looks: short while the node may have just started
// beside others, longer later, longest once it has company.
const (
	eagerPause  = 250 * time.Millisecond
	eagerLooks  = 20
	lonelyPause = time.Second
	calmPause   = 5 * time.Second
	lookTimeout = 5 * time.Second
)

// start begins to look, and returns when each way has had its first look or ctx
// has ended.
func (f *finder) start(ctx context.Context, address string) error {
	f.warned = make(map[string]bool)
	life, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	for _, w := range f.ways {
		// Announced before anybody looks: of two that start at once, one sees the other.
		err := contained("Announce", func() error { return w.Announce(ctx, f.node.cluster, f.node.name, address) })
		if err != nil {
			f.complain(w.Name()+" announce", "this node cannot be found", "way", w.Name(), "error", err)
		}
	}
	var first sync.WaitGroup
	for _, w := range f.ways {
		first.Add(1)
		f.wg.Go(func() { f.run(life, w.Find, w.Name(), sync.OnceFunc(first.Done)) })
	}
	f.wg.Go(func() { f.run(life, f.lost, "lost", func() {}) })
	looked := make(chan struct{})
	f.wg.Go(func() {
		first.Wait()
		close(looked)
	})
	select {
	case <-looked:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop ends what start began.
func (f *finder) stop(ctx context.Context) {
	if f.cancel == nil {
		return
	}
	f.cancel()
	f.wg.Wait()
	for _, w := range f.ways {
		if err := contained("Withdraw", func() error { return w.Withdraw(ctx) }); err != nil {
			f.node.log.Debug("discovery was not withdrawn", "way", w.Name(), "error", err)
		}
	}
}

// lost finds those who were members and stopped answering.
func (f *finder) lost(context.Context, string) ([]string, error) {
	return f.node.gossip.Lost(), nil
}

func (f *finder) run(ctx context.Context, find func(context.Context, string) ([]string, error), way string, looked func()) {
	defer looked()
	for n := 1; ; n++ {
		f.look(ctx, find, way)
		looked()
		pause := calmPause
		if len(f.node.directory.view().nodes) == 0 {
			pause = lonelyPause
			if n < eagerLooks {
				pause = eagerPause
			}
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

func (f *finder) look(ctx context.Context, find func(context.Context, string) ([]string, error), way string) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var addresses []string
	err := contained("Find", func() (err error) {
		addresses, err = find(ctx, f.node.cluster)
		return err
	})
	if err != nil && ctx.Err() == nil {
		f.complain(way+" find", "discovery failed", "way", way, "error", err)
	}
	known := f.node.directory.addresses()
	var strangers []string
	for _, a := range addresses {
		if !known[a] {
			strangers = append(strangers, a)
		}
	}
	if len(strangers) == 0 {
		return
	}
	if _, err := f.node.gossip.Join(ctx, strangers); err != nil && ctx.Err() == nil {
		f.failed(way, err)
	}
}

func (f *finder) failed(way string, err error) {
	switch {
	case errors.Is(err, gossip.ErrVersion): // gossip has logged it
	case isForeign(err):
		f.complain(way+" foreign", "found a node that does not belong to this cluster: another secret, or another cluster",
			"way", way, "cluster", f.node.cluster, "error", err)
	default:
		f.node.log.Debug("found nobody there", "way", way, "error", err)
		return
	}
	if way == "static" {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.refusal == nil {
			f.refusal = err
		}
	}
}

// isForeign reports whether the peer, or we, refused the other's certificate or key.
func isForeign(err error) bool {
	return errors.Is(err, gossip.ErrForeign) || errors.Is(err, security.ErrUntrusted) ||
		errors.Is(err, security.ErrWrongCluster) || security.IsRejection(err)
}

// refused returns why a seed refused this node, or was refused.
func (f *finder) refused() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refusal
}

// complain warns once about each thing.
func (f *finder) complain(key, message string, attrs ...any) {
	f.mu.Lock()
	again := f.warned[key]
	f.warned[key] = true
	f.mu.Unlock()
	level := slog.LevelWarn
	if again {
		level = slog.LevelDebug
	}
	f.node.log.Log(context.Background(), level, message, attrs...)
}
