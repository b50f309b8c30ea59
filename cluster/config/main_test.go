package config

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = actor.NewError(actor.Unavailable, "the store is away")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fakeNode is a node with a store in memory that can be disturbed.
type fakeNode struct {
	t     testing.TB
	store *badger.Store

	mu        sync.Mutex
	away      error         // of everything but watches
	watch     chan struct{} // closed to end watches
	gone      error         // with this error
	onList    func()        // called once, before a List
	farewells []func(context.Context)
}

func newFake(t testing.TB) *fakeNode {
	t.Helper()
	s, err := badger.Open(t.Context(), badger.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return &fakeNode{t: t, store: s, watch: make(chan struct{})}
}

func (n *fakeNode) Name() string             { return "fake" }
func (n *fakeNode) Cluster() string          { return "test" }
func (n *fakeNode) Logger() *slog.Logger     { return slog.New(slog.DiscardHandler) }
func (n *fakeNode) Store() persistence.Store { return disturbed{n.store, n} }

func (n *fakeNode) OnLeave(f func(context.Context)) (cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.farewells = append(n.farewells, f)
	return func() {}
}

func (n *fakeNode) leave() {
	n.mu.Lock()
	farewells := slices.Clone(n.farewells)
	n.mu.Unlock()
	for _, f := range farewells {
		f(context.Background())
	}
}

// fail lets reads and writes fail with err, nil for no more.
func (n *fakeNode) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = err
}

// endWatches ends those there are with err.
func (n *fakeNode) endWatches(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = err
	close(n.watch)
	n.watch = make(chan struct{})
}

// documents is the store as the package sees it.
func (n *fakeNode) documents() persistence.Store { return persistence.Namespace(n.store, namespace) }

// open opens a document that is closed with the test.
func (n *fakeNode) open(name string, options ...Option) *Document {
	n.t.Helper()
	d, err := open(n.t.Context(), n, name, options)
	must(n.t, err)
	n.t.Cleanup(func() { must(n.t, d.Close()) })
	return d
}

type disturbed struct {
	*badger.Store
	node *fakeNode
}

func (d disturbed) err() error {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	return d.node.away
}

func (d disturbed) Get(ctx context.Context, key string, options ...persistence.ReadOption) (persistence.Record, error) {
	if err := d.err(); err != nil {
		return persistence.Record{}, err
	}
	return d.Store.Get(ctx, key, options...)
}

func (d disturbed) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	if err := d.err(); err != nil {
		return nil, err
	}
	d.node.mu.Lock()
	f := d.node.onList
	d.node.onList = nil
	d.node.mu.Unlock()
	if f != nil {
		f()
	}
	return d.Store.List(ctx, q, options...)
}

func (d disturbed) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	if err := d.err(); err != nil {
		return 0, err
	}
	return d.Store.Commit(ctx, t)
}

func (d disturbed) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return func(yield func(persistence.Changes, error) bool) {
		d.node.mu.Lock()
		quit := d.node.watch
		d.node.mu.Unlock()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-quit:
				cancel()
			case <-ctx.Done():
			}
		}()
		for changes, err := range d.Store.Watch(ctx, prefix, after) {
			select {
			case <-quit:
				d.node.mu.Lock()
				err = d.node.gone
				d.node.mu.Unlock()
			default:
			}
			if !yield(changes, err) {
				return
			}
		}
	}
}
