package actor_test

import (
	"context"
	"errors"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

type Greeter struct{}

type Hello struct {
	actor.Call[Greeter, Greeting]
	Name string
}

type Greeting struct{ Text string }

type Forget struct{ actor.Cast[Greeter] }

type greeter struct{ greeted int }

func (g *greeter) hello(ctx *actor.Context, m Hello) (Greeting, error) {
	g.greeted++
	if m.Name == "" {
		panic("no name")
	}
	return Greeting{Text: "Hello, " + m.Name}, nil
}

func (g *greeter) forget(ctx *actor.Context, m Forget) error { g.greeted = 0; return nil }

func TestAskIsAnswered(t *testing.T) {
	sys := actor.NewSystem()
	def := actor.Define("greeter", func() *greeter { return new(greeter) },
		actor.OnCall((*greeter).hello),
		actor.OnCast((*greeter).forget))
	ref, err := actor.Spawn(sys, def)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := actor.Ask(t.Context(), ref, Hello{Name: "Ada"})
	if err != nil || reply.Text != "Hello, Ada" {
		t.Fatal(reply, err)
	}
	if err := actor.Tell(ref, Forget{}); err != nil {
		t.Fatal(err)
	}
	_, err = actor.Ask(t.Context(), ref, Hello{})
	if !errors.Is(err, actor.Internal) {
		t.Fatal(err)
	}
	t.Log(err, ref)
	if err := sys.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = actor.Ask(t.Context(), ref, Hello{})
	t.Log(err)
}
