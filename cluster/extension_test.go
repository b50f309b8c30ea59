package cluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// onDemand is an extension whose actors are spawned by their first message.
type onDemand struct {
	node       *cluster.Node
	definition actor.Definition[Worker]
}

func (x *onDemand) Resolve(path string) (actor.Recipient, error) {
	name := "made:" + strings.TrimPrefix(path, "made://")
	a, err := actor.Resolve[Worker](x.node.System(), "actor://node-1/"+name)
	return a.Address().Recipient(), err
}

func (x *onDemand) Deliver(ctx context.Context, d actor.Delivery) error {
	if _, err := x.node.System().Spawn(x.definition, actor.WithName(d.Path)); err != nil && actor.CodeOf(err) != actor.AlreadyExists {
		return err
	}
	return x.node.System().Deliver(ctx, d)
}

func TestAnExtensionHasRefsAndActorsOfItsOwn(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		for i := range 2 {
			n := c.Node(i)
			made := n.Extend("made", func() cluster.Extension { return &onDemand{n, b.worker("worker")} })
			if again := n.Extend("made", func() cluster.Extension { return nil }); again != made {
				t.Error("it was made twice")
			}
		}
		ref, err := actor.Resolve[Worker](c.Node(0).System(), "made://thing")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if on, err := actor.Ask(within(t, time.Minute), ref, Where{}); on != "node-1" || err != nil {
				t.Errorf("%q, %v", on, err)
			}
		}
		if _, err := actor.Resolve[Worker](c.Node(0).System(), "unknown://thing"); actor.CodeOf(err) != actor.InvalidArgument {
			t.Errorf("the path of nobody: %v", err)
		}
	})
}
