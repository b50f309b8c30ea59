package cluster

import (
	"strings"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/cluster/internal/transport"
	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// remote stands behind the Ref of an actor on another node. It is comparable: two
// Refs to one actor are equal.
type remote struct {
	node *Node
	name string // of the other node
	path string
	uid  uint64
}

// String returns the path of the Ref.
func (r remote) String() string {
	return "actor://" + r.name + "/" + actor.FormatPath(r.path, r.uid)
}

// Tell implements actor.Recipient.
func (r remote) Tell(e actor.Envelope) error {
	buffer := r.node.payloads.get()
	defer r.node.payloads.put(buffer)
	var sent wire.Envelope
	p, err := r.seal(&sent, e, buffer)
	if err != nil {
		return err
	}
	if ctx := e.Context(); ctx != nil {
		err = p.TellContext(ctx, &sent)
	} else {
		err = p.Tell(&sent)
	}
	if err != nil {
		return fromTransport(err)
	}
	return nil
}

// Ask implements actor.Recipient. What stands for an actor of an extension can look for
// another node.
func (r remote) Ask(e actor.Envelope) error {
	return r.ask(e, actor.IsIdempotent(e.Message()) && r.node.extensions.of(r.path) != nil)
}

// ask is Ask. What is repeatable is given up early on a node that hangs.
func (r remote) ask(e actor.Envelope, repeatable bool) error {
	buffer := r.node.payloads.get()
	defer r.node.payloads.put(buffer)
	var sent wire.Envelope
	p, err := r.seal(&sent, e, buffer)
	if err != nil {
		return err
	}
	var reply wire.View
	if repeatable {
		reply, err = p.CallRepeatable(e.Context(), &sent)
	} else {
		reply, err = p.Call(e.Context(), &sent)
	}
	if err != nil {
		return fromTransport(err)
	}
	contentType := sent.ContentType // most replies have the same: no new string
	if string(reply.ContentType) != contentType {
		contentType = string(reply.ContentType)
	}
	return r.node.system.DecodeReply(e, contentType, reply.Payload)
}

// seal encodes e into the buffer and describes it in sent, and returns the link
// it goes by. Neither is kept by the link.
func (r remote) seal(sent *wire.Envelope, e actor.Envelope, buffer *[]byte) (*transport.Peer, error) {
	p, err := r.node.link(r.name)
	if err != nil {
		return nil, err
	}
	data, contentType, err := r.node.system.Encode((*buffer)[:0], e.Message())
	if err != nil {
		return nil, err
	}
	*buffer = data
	*sent = wire.Envelope{
		To: r.path, UID: r.uid,
		From:        r.node.senderOf(e),
		Message:     r.node.system.MessageName(e),
		ContentType: contentType,
		Payload:     data,
		Chain:       r.node.chainFor(r.name, e),
	}
	return p, nil
}

// Watch implements actor.Recipient.
func (r remote) Watch(ended func(reason error)) (func(), error) {
	if err := r.node.present(); err != nil {
		return nil, err
	}
	told := func(reason error) {
		failed := contain.Call("a watcher", func() error { ended(reason); return nil })
		if failed != nil {
			r.node.log.Error("a watcher of an actor failed, and nothing else with it", "actor", r.String(), "error", failed)
		}
	}
	p, err := r.node.link(r.name)
	if err != nil {
		told(err)
		return func() {}, nil
	}
	w, err := p.Watch(&wire.Envelope{To: r.path, UID: r.uid}, func(v *wire.View, err error) {
		switch {
		case err != nil:
			told(fromTransport(err))
		case v.Code != uint32(actor.OK):
			told(&actor.Error{Code: actor.Code(v.Code), Reason: string(v.Reason), Message: string(v.Text)})
		default:
			told(nil)
		}
	})
	if err != nil {
		return nil, fromTransport(err)
	}
	return w.Stop, nil
}

// link returns the link to the latest process of the named node.
func (n *Node) link(name string) (*transport.Peer, error) {
	if err := n.present(); err != nil {
		return nil, err
	}
	p := n.directory.view().nodes[name]
	if p == nil {
		return nil, unavailable("node %q is not a member of cluster %q now", name, n.cluster)
	}
	link := p.link.Load()
	if link == nil {
		link = n.transport.Peer(p.Node, p.Address, p.Incarnation)
		p.link.Store(link)
	}
	return link, nil
}

// present returns an error if this node has left.
func (n *Node) present() error {
	select {
	case <-n.left:
		return &actor.Error{
			Code: ErrLeft.Code, Reason: ErrLeft.Reason, NotRun: true,
			Message: "node " + n.name + " has left cluster " + n.cluster,
		}
	default:
		return nil
	}
}

// senderOf returns the path of the actor that sends e, for the receiver to answer
// to; empty if it is none.
func (n *Node) senderOf(e actor.Envelope) string {
	ctx := e.Context()
	if ctx == nil {
		return ""
	}
	from := actor.CallerOf(ctx).Address
	if from == (actor.Address{}) {
		return ""
	}
	path, uid, ok := n.system.PathOf(from)
	if !ok {
		return ""
	}
	return actor.FormatPath(path, uid)
}

// resolve turns the path of a Ref that came with a message into its recipient.
func (n *Node) resolve(path string) (actor.Recipient, error) {
	if name, ok := strings.CutPrefix(path, serviceScheme); ok {
		return n.service(name)
	}
	if x := n.extensions.of(path); x != nil {
		return x.Resolve(path)
	}
	rest, ok := strings.CutPrefix(path, "actor://")
	name, local, found := strings.Cut(rest, "/")
	if !ok || !found || name == "" {
		return nil, actor.Errorf(actor.InvalidArgument, "%.200q is not a path of cluster %q", path, n.cluster)
	}
	actorPath, uid, err := actor.ParsePath(local)
	if err != nil {
		return nil, err
	}
	return remote{node: n, name: name, path: actorPath, uid: uid}, nil
}

// payloadPool keeps the buffers that messages are encoded into; links copy them.
type payloadPool struct{ pool sync.Pool }

// largestPooled is the capacity above which a buffer is left to the collector.
const largestPooled = 64 << 10

func (p *payloadPool) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (p *payloadPool) put(b *[]byte) {
	if cap(*b) <= largestPooled {
		p.pool.Put(b)
	}
}
