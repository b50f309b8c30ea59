package topic

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// peer is the protocol of an actor that each node has which uses durable topics. Owners of
// partitions, publishers and consumers talk to each other through it, also those of one
// node.
type peer struct{}

const peerName = "topic-peer"

// logName names a log in a message: that of a partition, or of its dead letters.
type logName struct {
	Topic     string
	Partition int
	Dead      bool
}

// stored is an event of a durable topic between nodes.
type stored struct {
	ID, Key, Type, ContentType string
	Payload                    []byte

	// What the owner of the partition knows of it.
	Offset  uint64
	Time    int64 // in nanoseconds since 1970
	Attempt int
	Tag     uint64 // of the delivery
	Suspect bool   // to begin before it is handled
	Dead    *eventlog.DeadLetter
}

func newStored(d *eventlog.Delivery) stored {
	return stored{
		ID: d.ID, Key: d.Key, Type: d.Type, ContentType: d.ContentType, Payload: d.Payload,
		Offset: uint64(d.Offset), Time: d.Time.UnixNano(), Attempt: d.Attempt, Tag: d.Tag, Suspect: d.Suspect, Dead: d.Dead,
	}
}

// done is an answer that says nothing more.
type done struct{}

// store appends events, all or none.
type store struct {
	actor.Call[peer, done]
	In     logName
	Events []stored
}

// attach makes an inlet a consumer.
type attach struct {
	actor.Call[peer, done]
	In          logName
	Node, Inlet string
	Group       string
	From        place
	Window      int
	AckDeadline time.Duration
	MaxAttempts int
}

// deliver gives events to an inlet.
type deliver struct {
	actor.Call[peer, done]
	Inlet  string
	Events []stored
}

// report says what has become of deliveries, and that the consumer is there.
type report struct {
	actor.Call[peer, done]
	In      logName
	Inlet   string
	Acks    []uint64
	Refused []refused
	Leave   bool // it is the last one
	// Durable lets it be answered when it is, and Begin is a delivery that is then
	// handled, if it is not 0.
	Durable bool
	Begin   uint64
}

// refused is a delivery that was not acknowledged.
type refused struct {
	Tag    uint64
	Delay  time.Duration
	Error  string
	Reject bool
}

// inspect is answered with how a partition is.
type inspect struct {
	actor.Call[peer, inspected]
	In logName
}

type inspected struct {
	Info PartitionInfo
}

// seek moves a group, purge removes events, and dissolve a group.
type seek struct {
	actor.Call[peer, done]
	In    logName
	Group string
	To    place
}

type purge struct {
	actor.Call[peer, done]
	In     logName
	Before place
}

type dissolve struct {
	actor.Call[peer, done]
	In    logName
	Group string
}

type peerActor struct{ extension *extension }

// spawnPeer starts the actor of a node, once.
func (x *extension) spawnPeer() error {
	_, err := x.node.System().Spawn(actor.Define(peerName, func() *peerActor { return &peerActor{x} },
		actor.OnCall((*peerActor).store), actor.OnCall((*peerActor).attach),
		actor.OnCall((*peerActor).deliver), actor.OnCall((*peerActor).report),
		actor.OnCall((*peerActor).inspect), actor.OnCall((*peerActor).seek),
		actor.OnCall((*peerActor).purge), actor.OnCall((*peerActor).dissolve)).
		With(actor.KnownAs("the durable topics of this node")))
	if actor.CodeOf(err) == actor.AlreadyExists {
		return nil
	}
	return err
}

// peerOn returns the actor of a node.
func (x *extension) peerOn(node string) (actor.Ref[peer], error) {
	return actor.Resolve[peer](x.node.System(), "actor://"+node+"/"+peerName)
}

// later answers a request from a goroutine, with what work does to an open partition.
func later[R any](p *peerActor, ctx *actor.Context, in logName, work func(ctx context.Context, t *tenure, log *eventlog.Log) (R, error)) (R, error) {
	x := p.extension
	reply, err := actor.ReplyLater[R](ctx)
	begun := x.run(func(context.Context) {
		var answer R
		t, partition, err := x.owned(ctx, in.Topic, in.Partition)
		if err == nil {
			answer, err = work(ctx, t, in.log(partition))
		}
		reply.Send(answer, undone(err))
	})
	if !begun {
		err = errLeft(x.node)
	}
	var none R
	return none, err
}

func (in logName) log(p *eventlog.Partition) *eventlog.Log {
	if in.Dead {
		return p.DeadLetters
	}
	return p.Events
}

func (p *peerActor) store(ctx *actor.Context, m store) (done, error) {
	return later(p, ctx, m.In, func(ctx context.Context, _ *tenure, log *eventlog.Log) (done, error) {
		_, err := log.Append(ctx, m.events())
		return done{}, err
	})
}

func (p *peerActor) attach(ctx *actor.Context, m attach) (done, error) {
	return later(p, ctx, m.In, func(ctx context.Context, t *tenure, log *eventlog.Log) (done, error) {
		to, err := p.extension.peerOn(m.Node)
		if err != nil {
			return done{}, err
		}
		o := &outlet{tenure: t, inlet: m.Inlet, to: to}
		if isNew, err := t.admit(o); !isNew {
			return done{}, err
		}
		if err := o.join(ctx, log, m); err != nil {
			o.end(nil)
			return done{}, err
		}
		return done{}, nil
	})
}

func (p *peerActor) deliver(_ *actor.Context, m deliver) (done, error) {
	in := p.extension.inlets.get(m.Inlet)
	if in == nil || !in.accept(m.Events) {
		return done{}, refusal(actor.NotFound, "the subscription on node %q has ended, or is with another owner", p.extension.node.Name())
	}
	return done{}, nil
}

// attached returns a consumer of a partition that is owned here, by its inlet.
func (x *extension) attached(to logName, inlet string) (*outlet, *eventlog.Consumer, error) {
	if s := x.streams.get(to.Topic); s != nil {
		if t := s.tenure(to.Partition); t != nil {
			if o := t.outlet(inlet); o != nil {
				o.mu.Lock()
				defer o.mu.Unlock()
				if o.consumer != nil {
					return o, o.consumer, nil
				}
			}
		}
	}
	return nil, nil, refusal(actor.NotFound, "the consumer is not attached to partition %d of %q on node %q", to.Partition, to.Topic, x.node.Name())
}

func (p *peerActor) report(ctx *actor.Context, m report) (done, error) {
	o, c, err := p.extension.attached(m.In, m.Inlet)
	if err == nil {
		err = o.settle(c, m)
	}
	if err != nil || !m.Durable {
		return done{}, err
	}
	return later(p, ctx, m.In, func(ctx context.Context, _ *tenure, _ *eventlog.Log) (done, error) {
		if m.Begin != 0 {
			return done{}, c.Begin(ctx, m.Begin)
		}
		return done{}, c.Flush(ctx)
	})
}

// settle does what the inlet says. That deliveries are over already is no error to it.
func (o *outlet) settle(c *eventlog.Consumer, m report) error {
	var err error
	if len(m.Acks) > 0 {
		err = c.Ack(m.Acks...)
	}
	for _, r := range m.Refused {
		cause := errors.New(r.Error)
		if r.Reject {
			err = errors.Join(err, c.Reject(r.Tag, cause))
		} else {
			err = errors.Join(err, c.Nack(r.Tag, r.Delay, cause))
		}
	}
	if m.Leave {
		o.end(nil)
	} else {
		c.Extend()
	}
	if errors.Is(err, eventlog.ErrClosed) || errors.Is(err, eventlog.ErrFenced) {
		return refusal(actor.NotFound, "the partition is moving: %v", err)
	}
	return nil
}

func (p *peerActor) inspect(ctx *actor.Context, m inspect) (inspected, error) {
	return later(p, ctx, m.In, func(_ context.Context, t *tenure, log *eventlog.Log) (inspected, error) {
		return inspected{newPartitionInfo(p.extension.node.Name(), t.partition, log.Inspect())}, nil
	})
}

func (p *peerActor) seek(ctx *actor.Context, m seek) (done, error) {
	return later(p, ctx, m.In, func(ctx context.Context, t *tenure, log *eventlog.Log) (done, error) {
		return done{}, log.Seek(ctx, m.Group, m.To.in(t.partition))
	})
}

func (p *peerActor) purge(ctx *actor.Context, m purge) (done, error) {
	return later(p, ctx, m.In, func(ctx context.Context, t *tenure, log *eventlog.Log) (done, error) {
		return done{}, log.Purge(ctx, m.Before.in(t.partition))
	})
}

func (p *peerActor) dissolve(ctx *actor.Context, m dissolve) (done, error) {
	return later(p, ctx, m.In, func(ctx context.Context, _ *tenure, log *eventlog.Log) (done, error) {
		err := log.DeleteGroup(ctx, m.Group)
		if errors.Is(err, eventlog.ErrNoGroup) {
			err = nil // perhaps by an attempt before
		}
		return done{}, err
	})
}
