package topic

import (
	"context"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// outlet is a consumer of a partition as its owner sees it. What the log delivers to it
// is sent to its inlet, one message at a time.
type outlet struct {
	tenure *tenure
	inlet  string
	to     actor.Ref[peer] // of the node with the inlet

	mu       sync.Mutex
	consumer *eventlog.Consumer // nil until it has joined
	unwatch  func()
	waiting  []eventlog.Delivery
	sending  bool
	over     bool
}

const (
	// pushTimeout is how long a node may take to accept deliveries, which it does at once.
	pushTimeout = 5 * time.Second
	// pushSize is how many bytes are sent at a time, or else one event.
	pushSize = 256 << 10
)

// join makes the outlet a consumer of its group.
func (o *outlet) join(ctx context.Context, log *eventlog.Log, r attach) error {
	unwatch, err := o.to.Address().Recipient().Watch(func(reason error) {
		o.end(actor.Errorf(actor.Unavailable, "node %q is gone: %w", r.Node, actor.AsError(reason)))
	})
	if err != nil {
		return err
	}
	consumer, err := log.Join(ctx, eventlog.ConsumerConfig{
		Group: r.Group, From: r.From.in(o.tenure.partition), Name: r.Node, Window: r.Window,
		AckDeadline: lease(r.AckDeadline), MaxAttempts: r.MaxAttempts,
		Deliver: o.deliver,
	})
	o.mu.Lock()
	over := o.over
	o.unwatch, o.consumer = unwatch, consumer
	o.mu.Unlock()
	switch {
	case err != nil:
		return err // end takes the watch back
	case over:
		unwatch()
		consumer.Leave(nil)
		return refusal(actor.Unavailable, "node %q or the partition is going", r.Node)
	}
	return nil
}

// deliver takes what is to be sent; it does not block.
func (o *outlet) deliver(c *eventlog.Consumer, deliveries []eventlog.Delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return // it is leaving
	}
	o.waiting = append(o.waiting, deliveries...)
	if !o.sending {
		o.sending = o.tenure.stream.extension.run(func(context.Context) { o.send(c) })
	}
}

// next returns what is sent with the next message.
func (o *outlet) next(size int) []stored {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || len(o.waiting) == 0 {
		o.sending = false
		return nil
	}
	var events []stored
	for _, d := range o.waiting {
		size -= len(d.Payload) + len(d.Key) + len(d.ID)
		if size < 0 && len(events) > 0 {
			break
		}
		events = append(events, newStored(&d))
	}
	clear(o.waiting[:len(events)])
	if o.waiting = o.waiting[len(events):]; len(o.waiting) == 0 {
		o.waiting = nil
	}
	return events
}

// send sends until nothing waits.
func (o *outlet) send(c *eventlog.Consumer) {
	for events := o.next(pushSize); events != nil; events = o.next(pushSize) {
		err := o.push(events)
		if len(events) > 1 && actor.CodeOf(err) == actor.InvalidArgument { // too large together
			for i := range events {
				if err = o.pushOne(c, events[i:i+1]); err != nil {
					break
				}
			}
		} else if err != nil {
			err = o.refused(c, events, err)
		}
		if err != nil {
			o.end(err)
		}
	}
}

func (o *outlet) pushOne(c *eventlog.Consumer, events []stored) error {
	err := o.push(events)
	if err == nil {
		return nil
	}
	return o.refused(c, events, err)
}

// refused makes a dead letter of a single event that cannot be sent.
func (o *outlet) refused(c *eventlog.Consumer, events []stored, err error) error {
	if len(events) == 1 && actor.CodeOf(err) == actor.InvalidArgument {
		t := o.tenure
		t.stream.extension.node.Logger().Warn("a group does not get an event that is too large for the link to its member",
			"topic", t.stream.name, "partition", t.partition, "offset", events[0].Offset, "error", err)
		_ = c.Reject(events[0].Tag, err) // it may be over already
		return nil
	}
	return err
}

func (o *outlet) push(events []stored) error {
	ctx, cancel := context.WithTimeout(o.tenure.ctx, pushTimeout)
	defer cancel()
	_, err := actor.Ask(ctx, o.to, deliver{Inlet: o.inlet, Events: events})
	return err
}

// end lets the consumer leave: others get what it has not acknowledged. With a cause it
// is lost, and its deliveries have failed.
func (o *outlet) end(cause error) {
	if actor.CodeOf(cause) == actor.NotFound {
		cause = nil // the inlet has ended before, and what it has got was not handled
	}
	o.mu.Lock()
	first := !o.over
	o.over, o.waiting = true, nil
	consumer, unwatch := o.consumer, o.unwatch
	o.mu.Unlock()
	if !first {
		return
	}
	o.tenure.dismiss(o)
	if unwatch != nil {
		unwatch()
	}
	if consumer != nil {
		consumer.Leave(cause)
	}
}

// lease is how long a consumer that is not heard of keeps what it has: its node says in
// time that it is there, and sees to the deadline of each event itself.
func lease(ackDeadline time.Duration) time.Duration { return max(ackDeadline, minLease) }

const minLease = 10 * time.Second
