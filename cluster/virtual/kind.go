package virtual

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// kind is what this node knows of one kind of virtual actors.
type kind struct {
	extension *extension
	name      string
	table     atomic.Pointer[table]
	server    atomic.Pointer[server] // nil if this node does not serve it
	waiting   atomic.Int32           // requests
	backlog   backlog
	doubt     doubt
	following sync.Once
	again     func(context.Context, actor.Delivery) error // deliver

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of the table
}

func newKind(x *extension, name string) *kind {
	k := &kind{extension: x, name: name, changed: make(chan struct{})}
	k.again = k.deliver
	k.table.Store(&table{})
	return k
}

// use begins to follow the table of the kind.
func (k *kind) use() {
	k.following.Do(func() { _ = k.extension.run(k.follow) })
}

// stir lets those look again who wait for a change.
func (k *kind) stir() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.changed)
	k.changed = make(chan struct{})
}

// publish makes t the table.
func (k *kind) publish(t *table) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.table.Store(t)
	close(k.changed)
	k.changed = make(chan struct{})
}

// change returns a channel that closes at the next change of the table.
func (k *kind) change() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// doubt is whether the replicated store can be reached, asked when somebody has
// reason to wonder.
type doubt struct {
	mu     sync.Mutex
	asking bool
	asked  time.Time // when the answer came
	answer error
}

// How long a request waits before it wonders whether the store can be reached, how
// long it believes an answer, and how long it waits for a first node to serve the kind.
const (
	unsuspecting = 50 * time.Millisecond
	believed     = 500 * time.Millisecond
	loneliness   = time.Second
	// The store knows within a second that it is out of reach, but its very first use
	// takes longer.
	askTimeout = 10 * time.Second
)

// hopeless returns an error if a request that has waited since began need not wait
// any longer.
func (k *kind) hopeless(began time.Time) error {
	waited := time.Since(began)
	if waited < unsuspecting {
		return nil
	}
	if !k.isOffered() {
		if err := k.unreachable(began); err != nil {
			return refusal(actor.Unavailable, "the virtual actors of kind %q cannot be found: %v", k.name, err)
		}
	}
	if waited >= loneliness {
		return k.deserted()
	}
	return nil
}

// unowned returns why nobody has a shard.
func (k *kind) unowned() string {
	k.doubt.mu.Lock()
	store := k.doubt.answer
	k.doubt.mu.Unlock()
	t := k.table.Load()
	switch {
	case t.read.IsZero() && store != nil:
		return "which nodes serve the kind is not known: " + store.Error()
	case t.read.IsZero():
		return "which nodes serve the kind is not known: the replicated store has not said it yet"
	case len(t.hosts) == 0:
		return "no node serves the kind: call virtual.Serve or virtual.Singleton on one"
	case store != nil:
		return store.Error()
	}
	return "its shard has no owner yet: that of before may be lost, and its session has not ended"
}

// reason is why a request waits.
type reason struct {
	kind *kind
	name string // of the actor
	last error  // of an attempt; nil if there was none
}

// Error tells it. It is worked out when somebody wants to know.
func (r reason) Error() string {
	why := "what was told to " + refPath(r.name) + " before is on its way"
	if r.last != nil {
		why = "the last attempt: " + r.last.Error()
	}
	if !r.kind.table.Load().owner(r.name).known() {
		why += "; " + r.kind.unowned()
	}
	return why
}

// deserted returns an error if no node runs the kind, as far as this one has known for a
// while.
func (k *kind) deserted() error {
	t, s := k.table.Load(), k.server.Load()
	if len(t.hosts) > 0 || t.read.IsZero() || time.Since(t.read) < loneliness {
		return nil
	}
	role := t.settings.Role
	if s != nil {
		if s.config.mayRun() {
			return nil // it is about to
		}
		role = s.config.settings.Role
	}
	if role != "" {
		return refusal(actor.Unavailable, "no node with the role %q serves virtual actors of kind %q: call virtual.Serve or virtual.Singleton with virtual.Roles(%q) on one", role, k.name, role)
	}
	return refusal(actor.Unavailable, "no node serves virtual actors of kind %q: call virtual.Serve or virtual.Singleton on one", k.name)
}

// unreachable returns the error of the replicated store, if it has answered since.
func (k *kind) unreachable(since time.Time) error {
	d := &k.doubt
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asking && time.Since(d.asked) > believed {
		d.asking = k.extension.run(k.ask)
	}
	if d.asked.Before(since) {
		return nil
	}
	return d.answer
}

func (k *kind) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := k.extension.open(ctx)
	if err == nil {
		_, err = s.Store().Get(ctx, settingsKey(k.name))
		if actor.CodeOf(err) == actor.NotFound {
			err = nil
		}
	}
	k.doubt.mu.Lock()
	defer k.doubt.mu.Unlock()
	k.doubt.asking, k.doubt.asked, k.doubt.answer = false, time.Now(), err
}
