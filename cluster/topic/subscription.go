package topic

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

// Subscription is one subscriber of a topic. All methods may be called concurrently.
type Subscription struct {
	extension *extension
	kind      *kind
	interest  interest
	actor     actorKey  // zero for a function
	consumer  *consumer // of a durable topic; nil of a live one
	announced *round    // that tells others of it, if that may fail; nil if not
	handle    func(ctx context.Context, event any) error
	ctx       context.Context // of handle
	cancel    context.CancelFunc

	limit int64
	queue *mailbox.Unbounded[any] // of *Event or *sealed; of *arrival for a durable topic

	stopping atomic.Bool // takes nothing more
	aborted  atomic.Bool // and gives up what it has
	done     chan struct{}

	mu      sync.Mutex
	err     error
	unwatch func() // of an actor

	// What is written for each event is in cache lines of its own: by those who give, and
	// by the one who takes.
	_       [64]byte
	waiting atomic.Int64 // events in the queue, and on their way there
	state   atomic.Int32
	losing  atomic.Bool   // the buffer was full, and has not been empty since
	lost    atomic.Uint64 // since then
	dropped atomic.Uint64

	_           [64]byte
	handled     atomic.Uint64
	failed      atomic.Uint64
	undecodable atomic.Uint64
}

// Stats counts the events of a [Subscription] since it began.
type Stats struct {
	Handled     uint64 // given to its handler, which has returned
	Failed      uint64 // of these, that the handler failed on, by an error or a panic
	Dropped     uint64 // lost because its buffer was full, or it was cut short; none of a durable topic
	Undecodable uint64 // lost, or made dead letters, because they were of another type, or damaged
	Waiting     int    // in its buffer now
}

func newSubscription(x *extension, k *kind, i interest, buffer int, handle func(context.Context, any) error) *Subscription {
	s := &Subscription{
		extension: x, kind: k, interest: i, limit: int64(buffer), handle: handle,
		queue: mailbox.NewUnbounded[any](), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// String returns the topic, and the group if there is one, such as
// "topic:///orders.* group billing".
func (s *Subscription) String() string {
	if s.interest.group == "" {
		return "topic:///" + s.interest.pattern
	}
	return "topic:///" + s.interest.pattern + " group " + s.interest.group
}

// Stats returns the counters of now.
func (s *Subscription) Stats() Stats {
	return Stats{
		Handled:     s.handled.Load(),
		Failed:      s.failed.Load(),
		Dropped:     s.dropped.Load(),
		Undecodable: s.undecodable.Load(),
		Waiting:     int(min(max(s.waiting.Load(), 0), s.limit)),
	}
}

// Stop ends the subscription: it gets no more events, handles those that wait (but of a
// durable topic, where they go to others), and Stop returns when the handler has returned
// for the last time. When ctx ends before that, the
// handler finds its context cancelled, what still waits is dropped, and Stop returns an
// error, Canceled or DeadlineExceeded. It may be called again, to wait again. A handler
// must not wait for its own end: it calls Stop in a goroutine.
//
// What other nodes send before they know is lost, but for events of a group that has
// members elsewhere.
func (s *Subscription) Stop(ctx context.Context) error { return s.stop(ctx, nil) }

// Done returns a channel that is closed when the subscription has ended, and its handler
// has returned.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err returns why the subscription ended by itself: cluster.ErrLeft if its node left,
// NotFound if its actor ended. It is nil before that, and after Stop.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Subscription) stop(ctx context.Context, reason error) error {
	s.quit(reason)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.abort()
	select {
	case <-s.done:
		return nil
	default:
		return actor.Errorf(actor.CodeOf(ctx.Err()), "the subscription to %s did not stop in time, and was cut short: %w", s, context.Cause(ctx))
	}
}

// quit takes no more events; what waits is still handled. The first reason counts.
func (s *Subscription) quit(reason error) {
	s.mu.Lock()
	first := !s.stopping.Swap(true)
	if first {
		s.err = reason
	}
	unwatch := s.unwatch
	s.unwatch = nil
	s.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	if first {
		s.extension.dismiss(s)
		s.schedule()
	}
}

// abort gives up what waits.
func (s *Subscription) abort() {
	s.aborted.Store(true)
	s.cancel()
	s.schedule()
}

// accept takes an event, if there is room and it can be decoded. It does not block.
func (s *Subscription) accept(p *parcel) {
	if s.stopping.Load() {
		return
	}
	if s.waiting.Add(1) > s.limit {
		s.waiting.Add(-1)
		s.overflow(p)
		return
	}
	event, first, err := p.open(s.extension, s.kind)
	if err != nil {
		s.waiting.Add(-1)
		s.undecodable.Add(1)
		if first {
			s.bury(p.kind, err)
		}
		return
	}
	if s.queue.TryPush(event) != nil {
		return // it has ended just now
	}
	s.schedule()
}

func (s *Subscription) full() bool { return s.waiting.Load() >= s.limit }

// overflow accounts for an event that there is no room for. The first of a row is a dead
// letter; more would cost the publisher, who is not to blame.
func (s *Subscription) overflow(p *parcel) {
	s.dropped.Add(1)
	s.lost.Add(1)
	if !s.losing.Swap(true) {
		s.bury(p.kind, refusal(actor.ResourceExhausted,
			"%d events wait, and more are lost: let the handler be faster, share the work in a group, or set Buffer", s.limit))
	}
}

// recovered is called when the buffer is empty.
func (s *Subscription) recovered() {
	if s.losing.Load() {
		lost := s.lost.Swap(0)
		s.losing.Store(false)
		s.extension.node.Logger().Warn("a slow subscriber has caught up", "subscription", s, "lost", lost)
	}
}

// bury makes an event a dead letter.
func (s *Subscription) bury(kind string, err error) {
	s.extension.node.System().DeadLetter(actor.DeadLetter{To: s.String(), Name: kind, Reason: actor.AsError(err)})
}
