package topic

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// A message to an owner carries up to maxTogether bytes of events, or a larger one, and
// that many messages of one outbox are on their way.
const (
	maxTogether  = 64 << 10
	maxShipments = 4
)

// outbox is where events wait that are published here to one partition. Those of callers
// that publish at the same time go to its owner together.
type outbox struct {
	stream    *stream
	partition int
	awaited   string // what the log says of those who wait for the owner

	mu       sync.Mutex
	waiting  []*posting
	starting bool      // a goroutine is about to look at what waits
	running  int       // that goroutine, and those that wait for an owner
	latest   *shipment // that was taken
}

// posting is an event that a caller waits for.
type posting struct {
	event    stored
	shipment *shipment // it goes with; nil while it waits
	done     chan struct{}
	err      error
}

// shipment is what goes to the owner together.
type shipment struct {
	postings []*posting
	callers  int // that still wait
	asking   asking
	ctx      context.Context
	cancel   context.CancelFunc
}

// publish returns when the event is stored.
func (o *outbox) publish(ctx context.Context, e stored) error {
	ctx, cancel := patiently(ctx)
	defer cancel()
	p := &posting{event: e, done: make(chan struct{})}
	o.mu.Lock()
	o.waiting = append(o.waiting, p)
	o.start()
	o.mu.Unlock()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return o.abandon(ctx, p)
	}
}

// start has what waits sent, unless that is about to happen. It is called with the lock.
func (o *outbox) start() {
	if o.starting || o.running >= maxShipments || len(o.waiting) == 0 {
		return
	}
	if !o.stream.extension.run(o.run) {
		for _, p := range o.waiting {
			p.finish(errLeft(o.stream.extension.node))
		}
		o.waiting = nil
		return
	}
	o.starting = true
	o.running++
}

func (o *outbox) run(ctx context.Context) {
	for {
		// Callers who were told together are about to publish again, one after the other.
		runtime.Gosched()
		s := o.next(ctx)
		if s == nil {
			return
		}
		o.send(s)
	}
}

// next takes what goes together, nil if nothing waits.
func (o *outbox) next(ctx context.Context) *shipment {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starting = false
	if len(o.waiting) == 0 {
		o.running--
		return nil
	}
	n, size := 0, 0
	for ; n < len(o.waiting); n++ {
		e := &o.waiting[n].event
		size += len(e.Payload) + len(e.ID) + len(e.Key) + len(e.Type) + len(e.ContentType)
		if n > 0 && size > maxTogether {
			break
		}
	}
	s := &shipment{postings: slices.Clone(o.waiting[:n]), callers: n}
	s.ctx, s.cancel = context.WithCancel(ctx)
	o.latest = s
	for _, p := range s.postings {
		p.shipment = s
	}
	o.waiting = slices.Delete(o.waiting, 0, n)
	o.start()
	return s
}

// send has the owner store a shipment. One that is refused for what is in it is not stored
// at all: then its events are sent alone, so that none suffers for another.
func (o *outbox) send(s *shipment) {
	defer s.cancel()
	err := o.store(s, s.postings...)
	alone := len(s.postings) > 1 && actor.CodeOf(err) == actor.InvalidArgument
	for _, p := range s.postings {
		if alone {
			err = o.store(s, p)
		}
		p.finish(err)
	}
}

func (o *outbox) store(s *shipment, postings ...*posting) error {
	m := store{In: logName{Topic: o.stream.name, Partition: o.partition}, Events: make([]stored, len(postings))}
	for i, p := range postings {
		m.Events[i] = p.event
	}
	_, err := ask[done](s.ctx, &s.asking, o.stream, o.partition, m)
	return err
}

func (p *posting) finish(err error) {
	p.err = err
	close(p.done)
}

// abandon is for a caller whose time is over.
func (o *outbox) abandon(ctx context.Context, p *posting) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.waiting, p); i >= 0 {
		o.waiting = slices.Delete(o.waiting, i, i+1)
		why := "is about to be asked"
		if o.latest != nil {
			why = "is busy with what was published before: " + o.latest.asking.Error()
		}
		return refusal(actor.CodeOf(ctx.Err()), "nothing was published to %q: partition %d %s", o.stream.name, o.partition, why)
	}
	select {
	case <-p.done:
		return p.err
	default:
	}
	if p.shipment.callers--; p.shipment.callers == 0 {
		p.shipment.cancel()
	}
	return p.shipment.asking.unanswered(ctx, o.stream, o.partition)
}

// events are what the owner appends.
func (m store) events() []eventlog.Event {
	events := make([]eventlog.Event, len(m.Events))
	for i, e := range m.Events {
		events[i] = eventlog.Event{ID: e.ID, Key: e.Key, Type: e.Type, ContentType: e.ContentType, Payload: e.Payload}
	}
	return events
}
