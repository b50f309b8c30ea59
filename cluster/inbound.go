package cluster

import (
	"context"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/transport"
	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// inbound takes what other nodes send and gives it to the actor system.
type inbound struct {
	node  *Node
	lanes sync.Map // *transport.Inbound to *lane
}

// lane is one stream from another node. What it has interned and its callers belong
// to the goroutine that receives; the rest is shared with actors that answer.
type lane struct {
	paths, messages, contentTypes interned

	callers map[string]context.Context // by sender's path
	base    context.Context            // of everything that comes from an unnamed sender

	held func(actor.Delivery) (settled func()) // nil if the other node knows nothing of that

	mu      sync.Mutex
	closed  bool
	calls   map[uint64]*callContext
	watches map[uint64]func()
}

// Receive implements transport.Handler.
func (in *inbound) Receive(from *transport.Inbound, v *wire.View) {
	l := in.lane(from)
	switch v.Kind {
	case wire.Cast:
		in.cast(from, l, v)
	case wire.Call:
		if string(v.To) == corePath {
			in.core(from, l, v)
			return
		}
		in.call(from, l, v)
	case wire.Cancel:
		l.end(v.ID)
	case wire.Watch:
		in.watch(from, l, v)
	case wire.Unwatch:
		if cancel := l.takeWatch(v.ID); cancel != nil {
			cancel()
		}
	}
}

// Closed implements transport.Handler.
func (in *inbound) Closed(from *transport.Inbound) {
	l := in.lane(from)
	in.lanes.Delete(from)
	l.mu.Lock()
	calls, watches := l.calls, l.watches
	l.calls, l.watches, l.closed = nil, nil, true
	l.mu.Unlock()
	for _, c := range calls {
		c.end()
	}
	for _, cancel := range watches {
		cancel()
	}
}

func (in *inbound) lane(from *transport.Inbound) *lane {
	if l, ok := in.lanes.Load(from); ok {
		return l.(*lane)
	}
	l := &lane{
		callers: make(map[string]context.Context),
		base:    actor.WithCaller(context.Background(), actor.Caller{Node: from.Node()}),
		calls:   make(map[uint64]*callContext),
		watches: make(map[uint64]func()),
	}
	if from.Holds() {
		l.held = func(d actor.Delivery) func() {
			if d.Reply != nil { // bounded by those that ask
				return nil
			}
			return from.Hold(d.Path, d.UID, len(d.Payload))
		}
	}
	in.lanes.Store(from, l)
	return l
}

func (in *inbound) delivery(l *lane, v *wire.View) actor.Delivery {
	return actor.Delivery{
		Path:        l.paths.of(v.To),
		UID:         v.UID,
		Message:     l.messages.of(v.Message),
		ContentType: l.contentTypes.of(v.ContentType),
		Payload:     v.Payload,
		Held:        l.held,
	}
}

func (in *inbound) cast(from *transport.Inbound, l *lane, v *wire.View) {
	d := in.delivery(l, v)
	in.handOver(in.caller(from, l, v), d, func(err error) {
		in.node.system.DeadLetter(actor.DeadLetter{
			To:     "actor://" + in.node.name + "/" + actor.FormatPath(d.Path, d.UID),
			Name:   d.Message,
			Reason: actor.AsError(err),
		})
	})
}

// handOver delivers d. It calls refused if that fails, and if what takes d calls
// runtime.Goexit.
func (in *inbound) handOver(ctx context.Context, d actor.Delivery, refused func(error)) {
	var err error
	returned := false
	defer func() {
		if !returned {
			err = actor.Errorf(actor.Internal, "what takes messages for %.200q called runtime.Goexit", d.Path)
		}
		if err != nil {
			refused(err)
		}
	}()
	err = in.node.deliver(ctx, d)
	returned = true
}

func (in *inbound) call(from *transport.Inbound, l *lane, v *wire.View) {
	id := v.ID
	ctx := newCallContext(in.caller(from, l, v), v.Timeout)
	if !l.begin(id, ctx) {
		return
	}
	d := in.delivery(l, v)
	refused := func(err error) { l.refuse(from, id, err) }
	d.Reply = func(reply any, err error) {
		if err != nil {
			l.refuse(from, id, err) // refused would be allocated
			return
		}
		l.end(id)
		in.reply(from, id, reply)
	}
	var err error
	if d.Chain, err = chainOf(v.Chain); err != nil {
		refused(err)
		return
	}
	in.handOver(ctx, d, refused)
}

// refuse ends a call with an error.
func (l *lane) refuse(from *transport.Inbound, id uint64, err error) {
	l.end(id)
	from.Send(failure(id, err))
}

func (in *inbound) reply(from *transport.Inbound, id uint64, reply any) {
	buffer := in.node.payloads.get()
	defer in.node.payloads.put(buffer)
	data, contentType, err := in.node.system.Encode((*buffer)[:0], reply)
	if err != nil {
		// The handler has run: only what it returned cannot travel.
		from.Send(failure(id, actor.Errorf(actor.Internal, "the reply: %s", actor.AsError(err).Message)))
		return
	}
	*buffer = data
	from.Send(&wire.Envelope{Kind: wire.Reply, ID: id, ContentType: contentType, Payload: data})
}

// caller returns the context of messages from the sender of v. It is kept, since
// senders send again.
func (in *inbound) caller(from *transport.Inbound, l *lane, v *wire.View) context.Context {
	if len(v.From) == 0 {
		return l.base
	}
	if ctx, ok := l.callers[string(v.From)]; ok {
		return ctx
	}
	caller := actor.Caller{Node: from.Node()}
	if path, uid, err := actor.ParsePath(string(v.From)); err == nil {
		r := remote{node: in.node, name: from.Node(), path: path, uid: uid}
		caller.Address = actor.NewRef[struct{}](r).Address()
	}
	ctx := actor.WithCaller(context.Background(), caller)
	if len(l.callers) >= maxInterned {
		clear(l.callers)
	}
	l.callers[string(v.From)] = ctx
	return ctx
}

func (in *inbound) watch(from *transport.Inbound, l *lane, v *wire.View) {
	id := v.ID
	target, err := in.node.system.Lookup(l.paths.of(v.To), v.UID)
	if err == nil && target.LocalOnly() {
		err = actor.Errorf(actor.FailedPrecondition, "%s is defined as actor.LocalOnly(): it cannot be watched from other nodes", target)
	}
	if err != nil {
		from.Send(failure(id, err))
		return
	}
	cancel, err := target.Recipient().Watch(func(reason error) {
		l.takeWatch(id)
		ended := &wire.Envelope{ID: id}
		if reason != nil {
			ended = failure(id, reason)
		}
		ended.Kind = wire.Terminated
		from.Send(ended)
	})
	if err != nil {
		from.Send(failure(id, err))
		return
	}
	if !l.keepWatch(id, cancel) {
		cancel()
	}
}

// begin remembers the context of a call; false if its ID is in use, or nobody is
// there to answer to any more.
func (l *lane) begin(id uint64, ctx *callContext) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.calls[id] != nil {
		return false
	}
	l.calls[id] = ctx
	return true
}

// end cancels the context of a call that is over.
func (l *lane) end(id uint64) {
	l.mu.Lock()
	ctx := l.calls[id]
	delete(l.calls, id)
	l.mu.Unlock()
	if ctx != nil {
		ctx.end()
	}
}

func (l *lane) keepWatch(id uint64, cancel func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.watches[id] != nil {
		return false
	}
	l.watches[id] = cancel
	return true
}

func (l *lane) takeWatch(id uint64) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	cancel := l.watches[id]
	delete(l.watches, id)
	return cancel
}

// interned spares a string for names that come again and again, and most often in a row.
type interned struct {
	last string
	all  map[string]string
}

// maxInterned bounds what another node may make us remember.
const maxInterned = 4096

func (in *interned) of(b []byte) string {
	if string(b) == in.last {
		return in.last
	}
	s, ok := in.all[string(b)]
	if !ok {
		s = string(b)
		if in.all == nil || len(in.all) >= maxInterned {
			in.all = make(map[string]string)
		}
		in.all[s] = s
	}
	in.last = s
	return s
}
