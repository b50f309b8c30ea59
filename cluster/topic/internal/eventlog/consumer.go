package eventlog

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// ConsumerConfig says what [Log.Join] joins. Group and Deliver are required.
type ConsumerConfig struct {
	// Group is the name of a group, which gets each event once, as long as nothing goes
	// wrong. Consumers of a group share its events. It lasts until it is deleted.
	Group string
	// From is where the group begins, if it is new. The zero value is the start.
	From Position
	// Name is for [Log.Inspect].
	Name string
	// Window is how many events may be delivered and neither acknowledged nor refused
	// yet, up to 10,000. The default is 64.
	Window int
	// AckDeadline is how long a delivery may take, until the event is given to another
	// consumer, or the same one if there is no other. One that was late gets nothing
	// more, as long as there are others, until it acknowledges or refuses something.
	// The default is 30 s.
	AckDeadline time.Duration
	// MaxAttempts is how often an event may fail, before it becomes a dead letter: when
	// it is refused, and when it is late or its consumer is lost, after [Consumer.Begin].
	// The default is 10. Dead letters are delivered until they are acknowledged or
	// rejected.
	MaxAttempts int
	// Deliver gets events, in order, and belongs to the consumer's group: it is called
	// by one goroutine at a time, and may use the consumer. It must not block. The
	// slice belongs to it.
	Deliver func(c *Consumer, deliveries []Delivery)
}

func (c ConsumerConfig) withDefaults() ConsumerConfig {
	if c.Window == 0 {
		c.Window = 64
	}
	if c.AckDeadline == 0 {
		c.AckDeadline = 30 * time.Second
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 10
	}
	return c
}

func (c ConsumerConfig) validate() error {
	switch {
	case c.Group == "" || len(c.Group) > MaxKeySize || c.Deliver == nil:
		return invalid("a consumer needs a Group, of up to %d bytes, and Deliver", MaxKeySize)
	case c.Window > maxLoaded:
		return invalid("a Window of %d; the most is %d", c.Window, maxLoaded)
	case c.Window < 0 || c.AckDeadline < 0 || c.MaxAttempts < 0:
		return invalid("a limit of the consumer is negative; 0 is the default")
	}
	return nil
}

// Consumer gets events of a group until it leaves. All methods may be called
// concurrently.
type Consumer struct {
	group     *group
	config    ConsumerConfig
	delivered map[uint64]*entry // by tag
	late      bool
	left      bool
	batch     []Delivery // to be delivered now
}

// Join adds a consumer to a group, and makes the group if there is none. When Join
// returns without an error, the group is durable. The error is [ErrCorrupt] for a group
// whose record cannot be read, until [Log.Seek] says where it goes on; otherwise errors
// are those of [Log.Append].
func (l *Log) Join(ctx context.Context, config ConsumerConfig) (*Consumer, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	p := l.p
	for {
		p.mu.Lock()
		g := l.groups[config.Group]
		var err error
		switch {
		case p.err != nil:
			err = ended(p.err)
		case p.closing:
			err = ended(ErrClosed)
		case g != nil && g.broken != nil:
			err = g.broken
		case g != nil && !g.deleting:
			c := &Consumer{group: g, config: config, delivered: map[uint64]*entry{}}
			g.consumers = append(g.consumers, c)
			g.wake()
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if err := l.create(ctx, config.Group, config.From); err != nil {
			return nil, err
		}
	}
}

// Ack says that the consumer is done with deliveries. It is written soon: after a crash
// they may come again. The error is [ErrNotDelivered] if some are over already; the
// others count.
func (c *Consumer) Ack(tags ...uint64) error {
	return c.settle(tags, func(e *entry) {
		c.group.end(e)
	})
}

// Nack refuses a delivery because of cause. The event is delivered anew after delay,
// or becomes a dead letter if it has been delivered as often as it may be. The delay ends
// with the partition, if that is opened anew. The error is
// [ErrNotDelivered] if the delivery is over already.
func (c *Consumer) Nack(tag uint64, delay time.Duration, cause error) error {
	return c.settle([]uint64{tag}, func(e *entry) {
		c.group.fail(e, wasRefused, describe(cause), delay)
	})
}

// Reject makes a dead letter of a delivery that nobody can handle, because of cause;
// one that is a dead letter already is deleted for the group. The error is
// [ErrNotDelivered] if the delivery is over already.
func (c *Consumer) Reject(tag uint64, cause error) error {
	return c.settle([]uint64{tag}, func(e *entry) {
		c.group.fail(e, wasRejected, describe(cause), 0)
	})
}

// Begin says that a delivery which is [Delivery.Suspect] is about to be handled: should
// its consumer, or the owner of the partition, now be lost, it has failed. It is durable
// when Begin returns without an error, and so is what was acknowledged and refused
// before. The error is [ErrNotDelivered] if the delivery is over already; otherwise errors
// are those of [Log.Append].
func (c *Consumer) Begin(ctx context.Context, tag uint64) error {
	return c.group.log.p.operate(ctx, &operation{progress: c.group, prepare: func(*transaction) error {
		e := c.delivered[tag]
		if e == nil {
			return notRun(ErrNotDelivered.Code, "%w", ErrNotDelivered)
		}
		e.begun = true
		return nil
	}})
}

// Flush returns when what was acknowledged and refused is durable. Errors are those of
// [Log.Append].
func (c *Consumer) Flush(ctx context.Context) error {
	return c.group.log.p.operate(ctx, &operation{progress: c.group})
}

// Leave ends the consumer. What it has not acknowledged is given to others at once; if
// there is a cause, the consumer is lost, and what it has begun has failed. A call
// of Deliver may still be under way. It is idempotent.
func (c *Consumer) Leave(cause error) {
	g := c.group
	p := g.log.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.left {
		return
	}
	c.left = true
	how := wasLost
	if cause == nil {
		how = wasReleased
	}
	for _, e := range c.delivered {
		g.fail(e, how, "its consumer was lost: "+describe(cause), 0)
	}
	g.consumers = slices.DeleteFunc(g.consumers, func(other *Consumer) bool { return other == c })
	if len(g.consumers) == 0 {
		g.unload()
	}
	p.hasSettled()
	g.wake()
}

// settle calls f for those deliveries that are not over.
func (c *Consumer) settle(tags []uint64, f func(*entry)) error {
	g := c.group
	p := g.log.p
	p.mu.Lock()
	defer p.mu.Unlock()
	c.late = false
	over := 0
	for _, tag := range tags {
		if e := c.delivered[tag]; e != nil {
			f(e)
		} else {
			over++
		}
	}
	if over < len(tags) {
		g.dirty = true
		p.flushSoon()
	}
	p.hasSettled()
	g.wake()
	switch {
	case p.err != nil:
		return p.err
	case over > 0:
		return actor.Errorf(ErrNotDelivered.Code, "eventlog: %w: %d of %d deliveries", ErrNotDelivered, over, len(tags))
	}
	return nil
}

// givesUp reports whether e has failed as often as it may.
func (c *Consumer) givesUp(e *entry) bool {
	return e.failed >= c.config.MaxAttempts && c.group.log != c.group.log.p.DeadLetters
}

func describe(cause error) string {
	if cause == nil {
		return "no cause was given"
	}
	return cause.Error()
}

// Extend gives the consumer its AckDeadline anew for all that it has. It is for one that
// sees to the deadline of each delivery itself, and so shows that it is there; it is not
// late any more.
func (c *Consumer) Extend() {
	g := c.group
	p := g.log.p
	p.mu.Lock()
	defer p.mu.Unlock()
	due := time.Now().Add(c.config.AckDeadline)
	for _, e := range c.delivered {
		e.due = due
	}
	heap.Init(g.timed)
	c.late = false
	g.wake()
}
