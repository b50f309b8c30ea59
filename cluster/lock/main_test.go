package lock

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what the fake nodes of a test have in common: a store in memory that can be
// disturbed.
type world struct {
	t     testing.TB
	store *badger.Store

	mu     sync.Mutex
	commit func(ctx context.Context, t persistence.Transaction, next commit) (persistence.Revision, error)
	list   func()
	listed func() error
	watch  func() error
}

type commit func(context.Context, persistence.Transaction) (persistence.Revision, error)

func newWorld(t testing.TB) *world {
	t.Helper()
	s, err := badger.Open(t.Context(), badger.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Close()) })
	return &world{t: t, store: s}
}

// onCommit lets f have each transaction, and pass it on to next; nil ends that.
func (w *world) onCommit(f func(ctx context.Context, t persistence.Transaction, next commit) (persistence.Revision, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commit = f
}

// onList lets f be called after each List.
func (w *world) onList(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = f
}

// onListError lets lists fail with the error of f, if there is one.
func (w *world) onListError(f func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed = f
}

// onWatch lets watches end with the error of f, if there is one.
func (w *world) onWatch(f func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch = f
}

// keys returns those that begin with prefix.
func (w *world) keys(prefix string) (keys []string) {
	w.t.Helper()
	records, err := w.store.List(context.Background(), persistence.Query{Prefix: prefix, KeysOnly: true})
	must(w.t, err)
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

// disturbed is the store as the nodes see it.
type disturbed struct {
	*badger.Store
	world *world
}

func (d disturbed) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	d.world.mu.Lock()
	f := d.world.commit
	d.world.mu.Unlock()
	if f == nil {
		return d.Store.Commit(ctx, t)
	}
	return f(ctx, t, d.Store.Commit)
}

func (d disturbed) List(ctx context.Context, q persistence.Query, options ...persistence.ReadOption) ([]persistence.Record, error) {
	d.world.mu.Lock()
	fails := d.world.listed
	d.world.mu.Unlock()
	if fails != nil {
		if err := fails(); err != nil {
			return nil, err
		}
	}
	records, err := d.Store.List(ctx, q, options...)
	d.world.mu.Lock()
	f := d.world.list
	d.world.mu.Unlock()
	if f != nil {
		f()
	}
	return records, err
}

func (d disturbed) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	d.world.mu.Lock()
	f := d.world.watch
	d.world.mu.Unlock()
	if f != nil {
		if err := f(); err != nil {
			return func(yield func(persistence.Changes, error) bool) { yield(persistence.Changes{}, err) }
		}
	}
	return d.Store.Watch(ctx, prefix, after)
}

// fakeNode is a node with a session that ends when the test says so.
type fakeNode struct {
	name   string
	world  *world
	system *actor.System

	mu       sync.Mutex
	session  *fakeSession
	sessions int
	away     error // what Session returns
}

func (w *world) node(name string) *fakeNode {
	n := &fakeNode{name: name, world: w, system: actor.NewSystem(
		actor.WithNode(name), actor.WithLogger(slog.New(slog.DiscardHandler)))}
	w.t.Cleanup(func() {
		must(w.t, n.system.Stop(context.Background()))
		n.end()
	})
	return n
}

func (n *fakeNode) Name() string          { return n.name }
func (n *fakeNode) System() *actor.System { return n.system }

func (n *fakeNode) Waiting(slog.Leveler, string) *cluster.Wait { return nil }

func (n *fakeNode) Session(ctx context.Context) (session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case n.away != nil:
		return nil, n.away
	case n.session != nil && n.session.Err() == nil:
		return n.session, nil
	}
	n.sessions++
	s := &fakeSession{id: fmt.Sprintf("%s-%d", n.name, n.sessions), store: disturbed{n.world.store, n.world}, done: make(chan struct{})}
	var err error
	s.opened, err = persistence.Put(ctx, n.world.store, s.key(), nil)
	n.session = s
	return s, err
}

// lose lets the node know that its session has ended; others do not yet.
func (n *fakeNode) lose() *fakeSession {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session != nil {
		n.session.lose(true)
	}
	return n.session
}

// end ends the session of the node, as when it has run out.
func (n *fakeNode) end() {
	if s := n.lose(); s != nil {
		s.expire(n.world)
	}
}

// goAway lets Session return err from now on.
func (n *fakeNode) goAway(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = err
}

// fakeSession keeps, in the store, that it exists and what it owns.
type fakeSession struct {
	id     string
	store  persistence.Store
	opened persistence.Revision
	done   chan struct{}

	mu   sync.Mutex
	err  error
	told bool
}

func (s *fakeSession) key() string              { return "session/" + s.id }
func (s *fakeSession) owned(key string) string  { return "owned/" + s.id + "/" + key }
func (s *fakeSession) ID() string               { return s.id }
func (s *fakeSession) Store() persistence.Store { return s.store }
func (s *fakeSession) Done() <-chan struct{}    { return s.done }
func (s *fakeSession) exists() persistence.Condition {
	return persistence.Condition{Key: s.key(), Revision: s.opened}
}

func (s *fakeSession) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *fakeSession) Own(t persistence.Transaction, keys ...string) persistence.Transaction {
	t.If, t.Then = append(slices.Clone(t.If), s.exists()), slices.Clone(t.Then)
	for _, k := range keys {
		t.Then = append(t.Then, persistence.Change{Key: s.owned(k)})
	}
	return t
}

func (s *fakeSession) Disown(t persistence.Transaction, keys ...string) persistence.Transaction {
	t.If, t.Then = append(slices.Clone(t.If), s.exists()), slices.Clone(t.Then)
	for _, k := range keys {
		t.Then = append(t.Then, persistence.Change{Key: s.owned(k), Delete: true})
	}
	return t
}

// lose makes Err say that the session has ended, and Done as well, if told.
func (s *fakeSession) lose(tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = actor.Errorf(actor.Unavailable, "the session has run out")
	if tell && !s.told {
		s.told = true
		close(s.done)
	}
}

// expire deletes the session and what it owns.
func (s *fakeSession) expire(w *world) {
	ctx := context.Background()
	_, err := persistence.Delete(ctx, w.store, s.key())
	must(w.t, err)
	t := persistence.Transaction{}
	for _, k := range w.keys(s.owned("")) {
		t.Then = append(t.Then,
			persistence.Change{Key: k, Delete: true},
			persistence.Change{Key: k[len(s.owned("")):], Delete: true})
	}
	_, err = w.store.Commit(ctx, t)
	must(w.t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lost reports whether Lost is closed.
func lost(l interface{ Lost() <-chan struct{} }) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

// pending is a call of Acquire that has not returned yet, or has.
type pending struct {
	lock   *Lock
	err    error
	done   chan struct{}
	cancel context.CancelFunc
}

// begin calls Acquire in a goroutine.
func (n *fakeNode) begin(name string, options ...Option) *pending {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pending{done: make(chan struct{}), cancel: cancel}
	n.world.t.Cleanup(cancel)
	go func() {
		defer close(p.done)
		p.lock, p.err = acquire(ctx, n, name, options, false)
	}()
	return p
}

// over reports whether Acquire has returned.
func (p *pending) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// acquired waits for the lock.
func (p *pending) acquired(t testing.TB) *Lock {
	t.Helper()
	<-p.done
	must(t, p.err)
	return p.lock
}

func mustAcquire(t testing.TB, n *fakeNode, name string, options ...Option) *Lock {
	t.Helper()
	l, err := acquire(t.Context(), n, name, options, false)
	must(t, err)
	return l
}
