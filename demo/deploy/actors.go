package main

import (
	"fmt"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/virtual"
)

// Greeter is the protocol of the service.
type Greeter struct{}

// Hello is answered by any greeter. It may be sent again when a node goes.
type Hello struct {
	actor.Call[Greeter, Greeting]
	actor.Idempotent
	Name string
}

// Greeting is the answer to Hello.
type Greeting struct{ Text string }

type greeter struct{}

func greeters() actor.Definition[Greeter] {
	return actor.Define("greeter", func() *greeter { return new(greeter) }, actor.OnCall((*greeter).hello))
}

func (*greeter) hello(ctx *actor.Context, m Hello) (Greeting, error) {
	return Greeting{Text: fmt.Sprintf("Hello, %s, from %s.", m.Name, ctx.System().Node())}, nil
}

// Guest is the protocol of the virtual actors, of which there is one for each name.
type Guest struct{}

// Visit is counted. To count one twice, when a node goes, does no harm here.
type Visit struct {
	actor.Call[Guest, Visits]
	actor.Idempotent
}

// Visits is how often a guest has been here since its actor came to its node.
type Visits struct {
	Name  string
	Count int
	Node  string
}

type guest struct{ visits int }

func guests() actor.Definition[Guest] {
	return actor.Define("guest", func() *guest { return new(guest) }, actor.OnCall((*guest).visit))
}

func (g *guest) visit(ctx *actor.Context, _ Visit) (Visits, error) {
	g.visits++
	return Visits{Name: virtual.Key(ctx), Count: g.visits, Node: ctx.System().Node()}, nil
}
