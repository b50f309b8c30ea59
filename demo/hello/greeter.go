package main

import (
	"fmt"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/hello/greet"
)

// greeter is the state of one actor, which handles one message at a time: it needs
// no locks.
type greeter struct{ greeted int }

// definition says which messages a greeter handles, and how.
func definition() actor.Definition[greet.Greeter] {
	return actor.Define("greeter", func() *greeter { return new(greeter) },
		actor.OnCall((*greeter).hello),
		actor.OnCast((*greeter).forget))
}

func (g *greeter) hello(ctx *actor.Context, m greet.Hello) (greet.Greeting, error) {
	g.greeted++
	return greet.Greeting{Text: fmt.Sprintf("Hello, %s! Greeting no. %d from %s.", m.Name, g.greeted, ctx.System().Node())}, nil
}

func (g *greeter) forget(ctx *actor.Context, m greet.Forget) error {
	g.greeted = 0
	return nil
}

// others takes the greeters of all nodes but its own in turn. Without it, a node
// that has a greeter itself would greet itself now and then.
type others struct {
	cluster.RoundRobin
	self string
}

// Pick implements [cluster.Balancer].
func (o *others) Pick(message any, candidates []cluster.Instance) (int, error) {
	for range candidates {
		i, err := o.RoundRobin.Pick(message, candidates)
		if err != nil || candidates[i].Node != o.self {
			return i, err
		}
	}
	return 0, actor.Errorf(actor.Unavailable, "there is no greeter on another node")
}
