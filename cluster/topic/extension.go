package topic

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/mailbox"
)

// extensionName begins the paths of topics, and is what interests are announced under.
const (
	extensionName = "topic"
	pathPrefix    = extensionName + ":"
)

// extension is what one node keeps for this package.
type extension struct {
	node      *cluster.Node
	scheduler *mailbox.Scheduler
	parcels   parcelPool
	sealed    sealedPool
	table     atomic.Pointer[table]

	mu        sync.Mutex
	left      bool // no subscription is taken any more
	entries   matcher[*entry]
	subs      map[*Subscription]*entry
	actors    map[actorKey]*Subscription
	own       interests
	size      int // of own, as text
	changed   bool
	announces bool   // a goroutine does
	pending   int    // bytes that are to be announced, at most
	round     *round // of those who wait for the next announcement; nil for nobody
	announced *cluster.Announcements
	others    map[string]*announcement
	running   sync.WaitGroup

	// What durable topics need.
	ctx     context.Context // ends when the node leaves
	end     context.CancelFunc
	streams streams
	inlets  inlets
	tasks   tasks
}

var _ cluster.Extension = (*extension)(nil)

// entry is what the extension knows under a pattern: a subscription of this node, or the
// interest of another one.
type entry struct {
	sub     *Subscription
	node    string // empty for this one
	pattern string
	group   string // empty for none
	members int    // that the other node has of the group
}

func extensionOf(n *cluster.Node) *extension {
	return n.Extend(extensionName, func() cluster.Extension {
		x := &extension{
			node:   n,
			subs:   make(map[*Subscription]*entry),
			actors: make(map[actorKey]*Subscription),
			own:    make(interests),
			others: make(map[string]*announcement),
		}
		x.ctx, x.end = context.WithCancel(context.Background())
		x.scheduler = mailbox.NewScheduler(mailbox.OnPanic(func(value any, stack []byte) {
			n.Logger().Error("a subscription panicked", "panic", value, "stack", string(stack))
		}))
		x.renew()
		n.OnLeave(x.leave)
		return x
	}).(*extension)
}

// Resolve implements cluster.Extension.
func (x *extension) Resolve(path string) (actor.Recipient, error) {
	return nil, refusal(actor.InvalidArgument, "%.200q is a topic, which no Ref refers to", path)
}

// present returns an error if the node has left.
func (x *extension) present() error {
	select {
	case <-x.node.Done():
		return errLeft(x.node)
	default:
		return nil
	}
}

// admit lets s have events.
func (x *extension) admit(s *Subscription) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.admitLocked(s)
}

func (x *extension) admitLocked(s *Subscription) error {
	if x.left || x.present() != nil {
		return errLeft(x.node)
	}
	if s.consumer != nil {
		x.subs[s] = new(entry)
		return nil
	}
	if x.own[s.interest] == 0 {
		if x.size+s.interest.size() > maxInterests {
			return refusal(actor.ResourceExhausted, "node %q subscribes to too many different topics: use wildcards", x.node.Name())
		}
		x.size += s.interest.size()
	}
	if s.interest.group != "" || x.own[s.interest] == 0 { // others are told
		if x.pending += s.interest.size(); x.pending > x.node.Room() {
			if x.round == nil {
				x.round = newRound()
			}
			s.announced = x.round
		}
	}
	e := &entry{sub: s, pattern: s.interest.pattern, group: s.interest.group}
	x.subs[s] = e
	x.entries.add(e.pattern, e)
	x.own[s.interest]++
	x.interestChanged(s.interest, 1)
	return nil
}

// dismiss lets s have no more events.
func (x *extension) dismiss(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.subs[s]
	if e == nil {
		return
	}
	delete(x.subs, s)
	if x.actors[s.actor] == s {
		delete(x.actors, s.actor)
	}
	if s.consumer != nil {
		return
	}
	x.entries.remove(e.pattern, e)
	if x.own[s.interest]--; x.own[s.interest] == 0 {
		delete(x.own, s.interest)
		x.size -= s.interest.size()
	}
	x.interestChanged(s.interest, 0)
}

// leave ends the subscriptions: the others are told first, so that groups go on there. The
// partitions that are owned here are handed over then.
func (x *extension) leave(ctx context.Context) {
	x.mu.Lock()
	x.left = true
	subs := make([]*Subscription, 0, len(x.subs))
	for s := range x.subs {
		subs = append(subs, s)
	}
	x.mu.Unlock()
	x.running.Wait()
	if len(subs) > 0 {
		if err := x.node.Announce(extensionName, nil); err != nil {
			x.node.Logger().Warn("other nodes were not told that nothing is subscribed to any more", "error", err)
		}
	}
	var stopping sync.WaitGroup
	for _, s := range subs {
		stopping.Go(func() { _ = s.stop(ctx, errLeft(x.node)) }) // Leave has said which handlers go on
	}
	stopping.Wait()
	for _, s := range x.streams.close() {
		stopping.Go(func() { s.leave(ctx) })
	}
	stopping.Wait()
	x.end()
	if !x.tasks.close(ctx) {
		x.node.Logger().Warn("durable topics have not ended in time: the replicated store does not return from what it does for them")
	}
	_ = x.scheduler.Stop(ctx) // fails only where a handler goes on
}

// tasks are goroutines of durable topics. They end when the context of the extension
// does.
type tasks struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// run starts a goroutine; false if the node has left.
func (x *extension) run(f func(ctx context.Context)) bool {
	x.tasks.mu.Lock()
	defer x.tasks.mu.Unlock()
	if !x.tasks.closed {
		x.tasks.running.Go(func() { f(x.ctx) })
	}
	return !x.tasks.closed
}

// leaveGrace is what tasks get to return after they have been cancelled.
const leaveGrace = 100 * time.Millisecond

// close lets there be no more, and waits for those there are; false if ctx ends before.
func (t *tasks) close(ctx context.Context) bool {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		t.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
	}
	grace := time.NewTimer(leaveGrace)
	defer grace.Stop()
	select {
	case <-ended:
		return true
	case <-grace.C:
		return false
	}
}
