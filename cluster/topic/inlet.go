package topic

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// inlet is where a consumer gets the events of one partition from one of its owners. It
// ends when the owner does, and with it all that it has brought: that comes again by
// another inlet, or to somebody else.
type inlet struct {
	id       string
	consumer *consumer
	source   logName
	owner    owner
	to       actor.Ref[peer]
	wake     chan struct{}   // there is something to be told
	ctx      context.Context // of the handler; ends with the inlet
	cancel   context.CancelCauseFunc

	mu      sync.Mutex
	over    bool
	acks    []uint64
	refused []refused
}

// inlets are those of one node, by ID.
type inlets struct {
	mu   sync.Mutex
	byID map[string]*inlet
}

func (all *inlets) add(in *inlet) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byID == nil {
		all.byID = make(map[string]*inlet)
	}
	all.byID[in.id] = in
}

func (all *inlets) remove(in *inlet) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byID, in.id)
}

func (all *inlets) get(id string) *inlet {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byID[id]
}

// attach makes a new inlet at the owner of a partition.
func (c *consumer) attach(ctx context.Context, partition int, o owner) (*inlet, error) {
	x := c.stream.extension
	to, err := x.peerOn(o.Node)
	if err != nil {
		return nil, err
	}
	in := &inlet{
		id: rand.Text(), consumer: c, owner: o, to: to, wake: make(chan struct{}, 1),
		source: logName{c.stream.name, partition, c.dead},
	}
	in.ctx, in.cancel = context.WithCancelCause(c.sub.ctx)
	x.inlets.add(in)
	_, err = attemptAt[done](ctx, c.stream, partition, o, attach{
		In: in.source, Node: x.node.Name(), Inlet: in.id,
		Group: c.config.group, From: c.config.from.place, Window: c.config.window,
		AckDeadline: c.config.ackDeadline, MaxAttempts: c.config.maxAttempts,
	})
	if err != nil {
		in.end()
		if !isUndone(err) {
			in.leave(ctx) // it may be attached after all
		}
		return nil, err
	}
	return in, nil
}

// accept takes events for the consumer, if the inlet is not over.
func (in *inlet) accept(events []stored) bool {
	in.mu.Lock()
	over := in.over
	in.mu.Unlock()
	return !over && in.consumer.accept(in, events)
}

func (in *inlet) isOver() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.over
}

// errGivenAway is why the context of a handler ends whose event it is not for any more.
var errGivenAway = actor.NewError(actor.Unavailable, "the event is given to other members of the group: its partition moves, or this node is cut off")

// end lets nothing more come, and what has come not be handled any more.
func (in *inlet) end() {
	in.cancel(errGivenAway)
	in.consumer.stream.extension.inlets.remove(in)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.over = true
}

// report has the owner told, soon.
func (in *inlet) report(m report) {
	in.mu.Lock()
	in.acks, in.refused = append(in.acks, m.Acks...), append(in.refused, m.Refused...)
	in.mu.Unlock()
	in.awake()
}

func (in *inlet) awake() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// serve tells the owner what becomes of its events, and that the consumer is there, until
// ctx ends, the consumer pauses, or the owner is another one.
func (in *inlet) serve(ctx context.Context) {
	c := in.consumer
	beat := time.NewTicker(lease(c.config.ackDeadline) / 4)
	defer beat.Stop()
	for {
		changed, paused := c.stream.change(), c.pausing()
		if in.moved() {
			in.end()
			return
		}
		if c.isPaused() {
			return
		}
		select {
		case <-in.wake:
		case <-beat.C:
		case <-changed:
			continue
		case <-paused:
			continue
		case <-ctx.Done():
			return
		}
		if !in.tell(ctx) {
			return
		}
	}
}

// tell sends what there is to tell, again and again for as long as the owner may believe
// that the consumer is there; false ends the inlet.
func (in *inlet) tell(ctx context.Context) bool {
	m, more := in.next()
	began := time.Now()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := in.send(ctx, m)
		if err == nil {
			if more {
				in.awake()
			}
			return true
		}
		if ctx.Err() != nil {
			in.putBack(m)
			return true // it is to leave, which says the rest
		}
		if !isPassing(err) || actor.CodeOf(err) == actor.NotFound || time.Since(began) > lease(in.consumer.config.ackDeadline)/2 || in.moved() {
			in.end()
			return false
		}
		wait(ctx, pause)
	}
}

// insist tells the owner what must be durable before anything else is handled; false if
// the owner does not want to know, or will be told by leave.
func (in *inlet) insist(ctx context.Context, m report) bool {
	m.In, m.Inlet, m.Durable = in.source, in.id, true
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := in.send(ctx, m)
		switch {
		case err == nil:
			return true
		case actor.CodeOf(err) == actor.NotFound || errors.Is(err, eventlog.ErrNotDelivered):
			return false // the delivery is over
		case !isPassing(err): // the store is full, perhaps: better to go on
			in.consumer.stream.extension.node.Logger().Warn("it could not be noted what handles an event that may have ended its consumers", "subscription", in.consumer.sub, "error", err)
			return true
		case in.isOver() || in.moved() || in.consumer.sub.stopping.Load() || !wait(ctx, pause):
			return false
		}
	}
}

func (in *inlet) moved() bool {
	return !in.consumer.stream.isOwned(in.source.Partition, in.owner)
}

// send asks the owner once, for as long as it is the owner.
func (in *inlet) send(ctx context.Context, m report) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return in.consumer.stream.whileOwned(ctx, in.source.Partition, in.owner, func(ctx context.Context) error {
		_, err := actor.Ask(ctx, in.to, m)
		return err
	})
}

// reportSize is about how many bytes a report has, beside the last error in it.
const reportSize = 8 << 10

// next takes what there is to tell, or as much as is told at a time.
func (in *inlet) next() (m report, more bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	const each = 9 // bytes of a tag
	m = report{In: in.source, Inlet: in.id}
	n := min(len(in.acks), reportSize/each)
	m.Acks, in.acks = in.acks[:n:n], in.acks[n:]
	size := n * each
	n = 0
	for n < len(in.refused) && size < reportSize {
		size += len(in.refused[n].Error) + 4*each
		n++
	}
	m.Refused, in.refused = in.refused[:n:n], in.refused[n:]
	return m, len(in.acks)+len(in.refused) > 0
}

func (in *inlet) putBack(m report) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.acks, in.refused = slices.Concat(m.Acks, in.acks), slices.Concat(m.Refused, in.refused)
}

// leave tells the owner the rest, and that the consumer is not there any more. If that
// does not get through, the owner finds out.
func (in *inlet) leave(ctx context.Context) {
	in.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	for more := true; more; {
		var m report
		m, more = in.next()
		m.Leave = !more
		if _, err := actor.Ask(ctx, in.to, m); err != nil {
			return
		}
	}
}

const leaveTimeout = 2 * time.Second
