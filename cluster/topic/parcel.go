package topic

import (
	"context"
	"reflect"
	"sync"

	"github.com/troupe-go/troupe/actor"
)

// parcel is one event on its way to the subscriptions of this node.
type parcel struct {
	origin
	encoded
	kind   string // name of its type
	buffer []byte // for what it was encoded to here
	alone  bool   // it has come from another node, for no more than one subscription

	event   any          // the *Event of goType, once there is one
	goType  reflect.Type // of event
	refused reflect.Type // the type that it was found not to be
}

// encoded is an event as it travels. It has no bytes if it was published here, and nobody
// needs them.
type encoded struct {
	topic       string
	node        string // that it was published on
	contentType string
	payload     []byte
}

// origin is what the last parcel from another node, which most often has come by the same
// stream and for the same topic, has found out.
type origin struct {
	from  context.Context
	peer  string // the node of from
	table *table
	path  string
	route *route // in table, for path
}

// nodeOf returns the name of the node that sends with ctx.
func (o *origin) nodeOf(ctx context.Context) string {
	if o.from != ctx {
		o.from, o.peer = ctx, actor.CallerOf(ctx).Node
	}
	return o.peer
}

// routeOf returns the route for topic, which ends path.
func (o *origin) routeOf(now *table, path, topic string) *route {
	if o.table != now || o.path != path {
		o.table, o.path, o.route = now, path, now.route(topic)
	}
	return o.route
}

// parcelPool spares parcels and their buffers. They keep their origin; the names are set
// by whoever gets one.
type parcelPool struct{ pool sync.Pool }

// largestPooled is the capacity above which a buffer is left to the collector.
const largestPooled = 64 << 10

func (pool *parcelPool) get() *parcel {
	if p, ok := pool.pool.Get().(*parcel); ok {
		return p
	}
	return new(parcel)
}

func (pool *parcelPool) put(p *parcel) {
	p.payload, p.event, p.goType, p.refused, p.alone = nil, nil, nil, nil, false
	if cap(p.buffer) <= largestPooled {
		pool.pool.Put(p)
	}
}

// encode fills in the bytes of value.
func (p *parcel) encode(s *actor.System, value any) (err error) {
	p.payload, p.contentType, err = s.Encode(p.buffer[:0], value)
	if err == nil {
		p.buffer = p.payload
	}
	return err
}

// open returns the event for subscriptions of type k: the same one for all of them, or a
// *sealed for the only one. first reports whether an error is new, and not the same as for
// the subscription before.
func (p *parcel) open(x *extension, k *kind) (event any, first bool, err error) {
	switch k.goType {
	case p.goType:
		return p.event, false, nil
	case p.refused:
		return nil, false, actor.InvalidArgument
	}
	switch {
	case p.kind != k.name:
		err = refusal(actor.InvalidArgument, "an event published to %q is a %.200s, and the subscription is for a %s", p.topic, p.kind, k.name)
	case p.alone:
		return x.sealed.get(&p.encoded), false, nil
	default:
		event, err = k.decode(x.node.System(), &p.encoded)
	}
	if err != nil {
		p.refused = k.goType
		return nil, true, err
	}
	p.event, p.goType = event, k.goType
	return event, false, nil
}
