package cluster

import (
	"context"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/consensus"
	"github.com/troupe-go/troupe/persistence"
)

// Session is a lease of a node: what it owns in [Session.Store] goes when the node is
// gone, and not before the node knows. Locks, leaders, singletons and virtual actors
// rest on it, and so can extensions of one's own. All methods may be called
// concurrently.
//
// The node renews its session in the background. Only the leader of the replicated
// store ends one, by its own clock, when renewals stay away; the node gives up earlier,
// by its own clock, counted from before it sent the last renewal that was answered
// (Gray and Cheriton, "Leases", 1989). Both clocks only measure durations, and may run
// a tenth faster or slower than the other.
type Session struct {
	session *consensus.Session
	store   persistence.Store
}

// sessions opens the session of a node, one at a time.
type sessions struct {
	mu      sync.Mutex
	current *Session
	opening *opening // nil if nobody opens one now
	ended   bool     // the node leaves, and has none any more
}

// opening is an attempt that several may wait for.
type opening struct {
	done    chan struct{}
	session *Session
	err     error
}

// Session returns the session of this node: a new one at the first call, and after the
// last one was lost. It fails with Unavailable if the replicated store does, and with
// [ErrLeft] once the node leaves and has given back what it owned.
func (n *Node) Session(ctx context.Context) (*Session, error) {
	if err := n.present(); err != nil {
		return nil, err
	}
	w := &n.sessions
	w.mu.Lock()
	switch s := w.current; {
	case w.ended:
		w.mu.Unlock()
		return nil, n.errLeaving()
	case s != nil && s.Err() == nil:
		w.mu.Unlock()
		return s, nil
	}
	o := w.opening
	if o == nil {
		o = &opening{done: make(chan struct{})}
		w.opening = o
		w.mu.Unlock()
		n.open(ctx, o)
		return o.session, o.err
	}
	w.mu.Unlock()
	select {
	case <-o.done:
	case <-ctx.Done():
		return nil, actor.Errorf(actor.CodeOf(ctx.Err()), "cluster: the session was not opened in time: the replicated store is waited for: %s: %w", n.store.core.Waiting(), context.Cause(ctx))
	}
	if o.err != nil && ctx.Err() == nil && actor.CodeOf(o.err) != actor.Unavailable {
		return n.Session(ctx) // whoever began has given up
	}
	return o.session, o.err
}

func (n *Node) open(ctx context.Context, o *opening) {
	opened, err := n.store.core.OpenSession(ctx)
	w := &n.sessions
	w.mu.Lock()
	late := err == nil && w.ended
	switch {
	case late:
		o.err = n.errLeaving()
	case err != nil:
		o.err = err
	default:
		o.session = &Session{opened, n.store.core.System()}
		w.current = o.session
	}
	w.opening = nil
	close(o.done)
	w.mu.Unlock()
	if late { // nobody else would
		_ = opened.Close(ctx) // else it runs out
	}
}

// end lets no session be opened any more, and returns the present one, if there is one.
func (w *sessions) end() *Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.current
}

func (n *Node) errLeaving() error {
	return &actor.Error{
		Code: ErrLeft.Code, Reason: ErrLeft.Reason, NotRun: true,
		Message: "node " + n.name + " is leaving cluster " + n.cluster,
	}
}

// ID returns the name of the session. There is never another one with that name.
func (s *Session) ID() string { return s.session.ID() }

// Done returns a channel that is closed when the session has ended, before anybody
// else can own what it owned.
func (s *Session) Done() <-chan struct{} { return s.session.Done() }

// Err returns nil as long as the session surely holds, and else why it does not. It
// looks at the clock: in a process that was stopped for a while it knows at once, where
// the channel of Done needs a moment.
func (s *Session) Err() error { return s.session.Err() }

// Store returns where what sessions own is kept. It is apart from that of [Node.Store],
// and as good; keys that begin with "lock/", "virtual/" and "topic/" are in use.
func (s *Session) Store() persistence.Store { return s.store }

// Own returns t, which must write the records of keys, such that it happens only while
// the session exists, and that these records are deleted when it ends.
func (s *Session) Own(t persistence.Transaction, keys ...string) persistence.Transaction {
	return s.session.Own(t, keys...)
}

// Disown returns t such that the records of keys are no longer the session's. Whoever
// deletes an owned record, or hands it on, should do that.
func (s *Session) Disown(t persistence.Transaction, keys ...string) persistence.Transaction {
	return s.session.Disown(t, keys...)
}
