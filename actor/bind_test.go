package actor_test

import (
	"errors"
	"math"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

type peerRef = actor.Ref[Lab]

// holder is embedded, and holds a Ref.
type holder struct{ Held peerRef }

// withRef embeds a Ref itself, and so has its methods.
type withRef struct{ peerRef }

// Meet holds references wherever a codec can put them.
type Meet struct {
	actor.Call[Lab, Meeting]
	One     peerRef
	None    peerRef
	Pointer *peerRef
	Slice   []peerRef
	Array   [2]peerRef
	Keys    map[peerRef]int
	Values  map[string]peerRef
	Floats  map[float64]peerRef `codec:"Floats" json:"-"`
	Deep    map[string][]*holder
	holder
	Any  actor.Address
	Next *Meet
}

// Meeting is a reply with references.
type Meeting struct {
	Who  []actor.Address
	Self peerRef
}

func TestReferencesInsideMessages(t *testing.T) {
	for _, codec := range []actor.Codec{actor.NewMsgPack(), actor.JSON{}} {
		t.Run(codec.ContentType(), func(t *testing.T) {
			system := newSystem(t, actor.WithNode("n1"), actor.WithCodec(codec), actor.WithResolver(resolveFar))
			guest := spawn(t, system, script{}, actor.WithName("guest"))
			away := actor.NewRef[Lab](far("actor://n2/away#1"))
			lost := actor.NewRef[Lab](far("actor://n3/lost#1"))
			gone, err := actor.Resolve[Lab](system, "actor://n1/gone#1")
			if err != nil {
				t.Fatal(err)
			}
			var seen Meet
			host, err := actor.Spawn(system, actor.Define("host", func() *subject { return &subject{} },
				actor.OnCall(func(_ *subject, ctx *actor.Context, m Meet) (Meeting, error) {
					seen = m
					return Meeting{Who: []actor.Address{guest.Address(), away.Address()}, Self: actor.Self[Lab](ctx)}, nil
				})))
			if err != nil {
				t.Fatal(err)
			}

			sent := Meet{
				One: guest, Pointer: &away, Slice: []peerRef{guest, gone, lost}, Array: [2]peerRef{away, guest},
				Keys: map[peerRef]int{guest: 1, away: 2}, Values: map[string]peerRef{"g": guest},
				Deep:   map[string][]*holder{"x": {{Held: guest}, nil}},
				holder: holder{Held: guest}, Any: guest.Address(),
				Next: &Meet{One: guest, Next: &Meet{One: away}},
			}
			if codec.ContentType() != "application/json" { // which has no NaN
				sent.Floats = map[float64]peerRef{math.NaN(): guest, 1: away}
			}
			meeting := overTheWire(t, system, host, sent)

			for what, got := range map[string]peerRef{
				"field": seen.One, "slice": seen.Slice[0], "array": seen.Array[1], "map value": seen.Values["g"],
				"deep": seen.Deep["x"][0].Held, "embedded": seen.Held, "recursive": seen.Next.One,
			} {
				if got != guest {
					t.Errorf("%s: got %v, want the guest", what, got)
				}
			}
			for what, got := range map[string]peerRef{"pointer": *seen.Pointer, "array": seen.Array[0], "recursive": seen.Next.Next.One} {
				if got != away {
					t.Errorf("%s: got %v, want the one that is away", what, got)
				}
			}
			if len(seen.Keys) != 2 || seen.Keys[guest] != 1 || seen.Keys[away] != 2 {
				t.Error("keys:", seen.Keys)
			}
			if len(sent.Floats) != len(seen.Floats) || len(seen.Floats) > 0 && seen.Floats[1] != away {
				t.Error("floats:", seen.Floats)
			}
			if !seen.None.IsZero() || seen.Any != guest.Address() || seen.Deep["x"][1] != nil {
				t.Error(seen.None, seen.Any)
			}
			codeIs(t, actor.Tell(seen.Slice[1], Note{}), actor.NotFound)
			codeIs(t, actor.Tell(seen.Slice[2], Note{}), actor.InvalidArgument) // no such node
			if len(meeting.Who) != 2 || meeting.Who[0] != guest.Address() || meeting.Who[1] != away.Address() || meeting.Self != host {
				t.Errorf("reply: %+v", meeting)
			}
		})
	}
}

// Wrapped has a Ref that is embedded, by an unexported name too.
type Wrapped struct {
	actor.Call[Lab, int]
	With withRef
	around
}

type around struct{ Inside withRef }

func TestEmbeddedRef(t *testing.T) {
	system := newSystem(t)
	var seen Wrapped
	host, err := actor.Spawn(system, actor.Define("host", func() *subject { return &subject{} },
		actor.OnCall(func(_ *subject, _ *actor.Context, m Wrapped) (int, error) { seen = m; return 1, nil })))
	if err != nil {
		t.Fatal(err)
	}
	if got := overTheWire(t, system, host, Wrapped{With: withRef{host}, around: around{withRef{host}}}); got != 1 || seen.With.peerRef != host || seen.Inside.peerRef != host {
		t.Error(got, seen)
	}
}

// overTheWire asks as a node far away would: everything passes a codec.
func overTheWire[P, R any, Q actor.Request[P, R]](t *testing.T, system *actor.System, to actor.Ref[P], q Q) R {
	t.Helper()
	reply, err := actor.Ask(t.Context(), actor.NewRef[P](&wire{system, to.Address()}), q)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// wire is a recipient whose messages are encoded, decoded and delivered.
type wire struct {
	system *actor.System
	to     actor.Address
}

func (w *wire) Tell(e actor.Envelope) error { return w.deliver(e, nil) }

func (w *wire) Ask(e actor.Envelope) error {
	answer := make(chan error, 1)
	err := w.deliver(e, func(reply any, err error) {
		if err != nil {
			answer <- err
			return
		}
		data, contentType, err := w.system.Encode(nil, reply)
		if err != nil {
			answer <- err
			return
		}
		answer <- w.system.DecodeReply(e, contentType, data)
	})
	if err != nil {
		return err
	}
	return <-answer
}

func (w *wire) deliver(e actor.Envelope, reply func(any, error)) error {
	data, contentType, err := w.system.Encode(nil, e.Message())
	if err != nil {
		return err
	}
	path, uid, ok := w.system.PathOf(w.to)
	if !ok {
		return errors.New("not of this system")
	}
	ctx := e.Context()
	return w.system.Deliver(ctx, actor.Delivery{
		Path: path, UID: uid, Message: w.system.MessageName(e), ContentType: contentType, Payload: data, Reply: reply,
	})
}

func (w *wire) Watch(func(error)) (func(), error) { return nil, actor.Unimplemented }
func (w *wire) String() string                    { return "wire:" + w.to.String() }
