package virtual

import (
	"context"
	"slices"

	"github.com/troupe-go/troupe/actor"
)

// relay is the protocol of an actor that each serving node has: it takes what was told
// to another node while its shard moved from there. What is asked needs none: its
// sender tries again.
type relay struct{}

const relayName = extensionName + "-relay"

// forwarded is a message on its detour, still encoded.
type forwarded struct {
	actor.Cast[relay]
	Path        string
	Message     string
	ContentType string
	Payload     []byte
	Hops        int
}

// maxHops ends a detour that goes in circles.
const maxHops = 10

func newForwarded(d actor.Delivery) *forwarded {
	return &forwarded{Path: d.Path, Message: d.Message, ContentType: d.ContentType, Payload: slices.Clone(d.Payload)}
}

func (f forwarded) delivery() actor.Delivery {
	return actor.Delivery{Path: f.Path, Message: f.Message, ContentType: f.ContentType, Payload: f.Payload}
}

// relay sends the message to another node.
func (f forwarded) relay(x *extension, node string) error {
	if f.Hops++; f.Hops > maxHops {
		return refusal(actor.FailedPrecondition, "the message came through %d nodes, and none was the right one", maxHops)
	}
	to, err := actor.Resolve[relay](x.node.System(), "actor://"+node+"/"+relayName)
	if err != nil {
		return err
	}
	return actor.Tell(to, f)
}

type relayActor struct{ extension *extension }

func (r *relayActor) forwarded(ctx *actor.Context, f forwarded) error {
	name, _, err := parseName(f.Path)
	if err != nil {
		return err
	}
	k, ok := r.extension.kinds.Load(name)
	if !ok {
		return notHere(f.Path, "its node does not use the kind")
	}
	from := actor.WithCaller(context.Background(), actor.Caller{Node: ctx.Caller().Node})
	return k.(*kind).arrived(from, f)
}

// spawnRelay starts the relay of a node, once.
func (x *extension) spawnRelay() error {
	_, err := x.node.System().Spawn(actor.Define(relayName,
		func() *relayActor { return &relayActor{x} }, actor.OnCast((*relayActor).forwarded)).
		With(actor.KnownAs("the messages to virtual actors that this node passes on")))
	if actor.CodeOf(err) == actor.AlreadyExists {
		return nil
	}
	return err
}
