package topic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// consumer is what a [Subscription] to a durable topic has beside those to live ones: an
// inlet for each partition.
type consumer struct {
	stream *stream
	dead   bool // of the dead letters
	config subscribing
	sub    *Subscription
	read   func(s *actor.System, topic string, partition int, e *stored) (any, error)
	ctx    context.Context // ends when the subscription is to have no more events
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	attached chan attached // what became of the first inlets of the partitions
	started  chan struct{} // closed when nobody wants to know that any more

	mu       sync.Mutex
	handling *arrival      // that the handler has
	paused   bool          // it takes too long
	changed  chan struct{} // closed and replaced when paused changes
}

// arrival is an event that waits for the handler.
type arrival struct {
	inlet *inlet
	event stored
	once  sync.Once // what becomes of it is told once
}

func newConsumer(s *stream, f source, config subscribing, k *kind) *consumer {
	c := &consumer{
		stream: s, dead: f.dead, config: config, read: k.read,
		attached: make(chan attached), started: make(chan struct{}), changed: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// start attaches the consumer to all partitions, and returns when it is, or with an error
// when it is clear that it will not be, or ctx ends.
func (c *consumer) start(ctx context.Context) error {
	ctx, cancel := patiently(ctx)
	defer cancel()
	defer close(c.started)
	for i := range c.stream.settings.Partitions {
		c.tasks.Go(func() { c.attend(i) })
	}
	missing := newMissing(c.stream.settings.Partitions)
	for len(missing) > 0 {
		select {
		case a := <-c.attached:
			if a.err == nil {
				delete(missing, a.partition)
				continue
			}
			if missing[a.partition] = whileOwner(a.err); !isPassing(a.err) {
				return a.err
			}
		case <-ctx.Done():
			return refusal(actor.CodeOf(ctx.Err()), "the subscription to %q could not begin in time: %s", c.stream.name, missing)
		case <-c.ctx.Done():
			return errLeft(c.stream.extension.node)
		}
	}
	return nil
}

// attached is what became of an attempt to attach a consumer to a partition.
type attached struct {
	partition int
	err       error
}

// missing are the partitions that a consumer is not attached to, and why.
type missing map[int]error

func newMissing(partitions int) missing {
	m := make(missing, partitions)
	for i := range partitions {
		m[i] = errors.New(unowned)
	}
	return m
}

// String tells of the first one.
func (m missing) String() string {
	first := slices.Min(slices.Collect(maps.Keys(m)))
	text := fmt.Sprintf("partition %d: %v", first, m[first])
	if len(m) > 1 {
		text = fmt.Sprintf("%d partitions are waited for, such as %s", len(m), text)
	}
	return text
}

// attend keeps the consumer attached to one partition, whoever owns it.
func (c *consumer) attend(partition int) {
	reported, told := false, ""
	pause := minPause
	waiting := c.stream.waiting(partition)
	defer waiting.Done()
	for c.ctx.Err() == nil {
		changed, resumed := c.stream.change(), c.pausing()
		o := c.stream.assignment.Load().owners[partition]
		retry := time.Hour
		if o.known() && !c.isPaused() {
			in, err := c.attach(c.ctx, partition, o)
			if !reported {
				select {
				case c.attached <- attached{partition, err}:
				case <-c.started:
				case <-c.ctx.Done():
				}
				reported = err == nil
			}
			if err == nil {
				pause, told = minPause, ""
				waiting.Done()
				in.serve(c.ctx)
				if !in.isOver() {
					in.leave(c.ctx)
				}
				continue
			}
			if isPassing(err) {
				waiting.Because(whileOwner(err))
			} else if told != err.Error() {
				told = err.Error()
				c.stream.extension.node.Logger().Error("a subscription gets no events of a partition now", "subscription", c.sub, "partition", partition, "error", err)
			}
			retry = pause
			pause = min(2*pause, maxPause)
		} else if !o.known() {
			waiting.Because(errors.New(unowned))
		}
		timer := time.NewTimer(retry)
		select {
		case <-changed:
		case <-resumed:
		case <-timer.C:
		case <-c.ctx.Done():
		}
		timer.Stop()
	}
}

// finish ends the subscription when all that the handler has done is told, or cannot be.
func (c *consumer) finish() {
	c.cancel()
	wait := func(context.Context) {
		c.tasks.Wait()
		c.sub.cancel()
		close(c.sub.done)
	}
	if !c.stream.extension.run(wait) {
		wait(c.ctx) // the node has left
	}
}

// wants reports whether an event is still for this consumer. Of a suspect the owner gets
// to know first.
func (c *consumer) wants(ctx context.Context, a *arrival) bool {
	return !a.inlet.isOver() && (!a.event.Suspect || a.inlet.insist(ctx, report{Begin: a.event.Tag}))
}

// pausing returns a channel that closes when the consumer pauses, or goes on.
func (c *consumer) pausing() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *consumer) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused
}

// begin notes that the handler has an event, nil for none. A consumer that has paused
// goes on.
func (c *consumer) begin(a *arrival) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handling = a
	if c.paused {
		c.paused = false
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// pause gives what waits to others, if the handler still has the event.
func (c *consumer) pause(a *arrival) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handling == a {
		c.paused = true
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// accept queues events for the handler; false if it gets no more.
func (c *consumer) accept(in *inlet, events []stored) bool {
	s := c.sub
	if s.stopping.Load() {
		return false
	}
	for _, e := range events {
		s.waiting.Add(1)
		if s.queue.TryPush(&arrival{inlet: in, event: e}) != nil {
			s.waiting.Add(-1)
			return false
		}
	}
	s.schedule()
	return true
}

// handle decodes an event and lets the handler have it, within the deadline.
func (c *consumer) handle(a *arrival, handler func(context.Context, any) error) error {
	event, err := c.read(c.stream.extension.node.System(), c.stream.name, a.inlet.source.Partition, &a.event)
	if err != nil {
		return &undecodable{err}
	}
	deadline := c.config.ackDeadline
	ctx, cancel := context.WithTimeout(a.inlet.ctx, deadline)
	defer cancel()
	c.begin(a)
	late := time.AfterFunc(withGrace(deadline), func() {
		c.settle(c.sub.ctx, a, actor.Errorf(actor.DeadlineExceeded, "the handler took longer than %v", deadline))
		c.pause(a)
	})
	defer func() {
		late.Stop()
		c.begin(nil)
	}()
	err = handler(ctx, event)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = context.Cause(ctx) // nobody has cancelled what the handler reports
	}
	return err
}

// withGrace returns a deadline and a tenth of it more.
func withGrace(deadline time.Duration) time.Duration {
	return deadline + min(deadline/10, math.MaxInt64-deadline)
}

// settle has the owner told what has become of an event; the first time counts.
func (c *consumer) settle(ctx context.Context, a *arrival, err error) {
	a.once.Do(func() {
		var m report
		if err == nil {
			m.Acks = []uint64{a.event.Tag}
		} else {
			m.Refused = []refused{outcomeOf(&a.event, err)}
		}
		if !a.event.Suspect || !a.inlet.insist(ctx, m) {
			a.inlet.report(m)
		}
	})
}
