package clustertest_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestNodesOfAClusterAreNumberedAndSeeEachOther(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		for i, want := range []string{"node-0", "node-1", "node-2"} {
			if n := c.Node(i); n.Name() != want || len(n.Members()) != 3 || n.Cluster() != "test" {
				t.Errorf("node %d is %s of %s, and sees %v", i, n.Name(), n.Cluster(), n.Members())
			}
		}
		if n := c.Start("late"); n != c.Node(3) || len(c.Nodes()) != 4 {
			t.Error("a node that was started has no index")
		}
		c.AwaitMembers(4)
		if err := c.Node(1).Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if nodes := c.Nodes(); len(nodes) != 3 || slices.Contains(nodes, c.Node(1)) {
			t.Errorf("%d nodes run after one has left", len(nodes))
		}
		c.AwaitMembers(3)
	})
}

func TestCrashedNodesStartAgain(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		first := c.Node(0)
		began := time.Now()
		c.Crash(0)
		c.AwaitMembers(1)
		if took := time.Since(began); took < time.Second {
			t.Errorf("the crash was noticed after %v: somebody said goodbye", took)
		}
		again := c.Restart(0)
		c.AwaitMembers(2)
		if again != c.Node(0) || again == first || again.Name() != first.Name() || again.Address() != first.Address() {
			t.Error(again.Name(), again.Address())
		}
		c.Crash(0)
		moved := c.RestartElsewhere(0)
		c.AwaitMembers(2)
		if moved.Name() != first.Name() || moved.Address() == first.Address() {
			t.Error(moved.Name(), moved.Address())
		}
		if moved.Address() != c.Network.Host("node-0-moved-1").IP().String()+":7420" {
			t.Error(moved.Address())
		}
	})
}

func TestOptionsReachEveryNode(t *testing.T) {
	type lines struct{ slog.Handler }
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		if _, err := c.TryStart(c.Network.Host("x"), "not a name"); err == nil {
			t.Error("a bad name was taken")
		}
		if n, err := c.TryStart(c.Network.Host("x"), "x", cluster.WithListen(":1")); err != nil || n.Address() == "" {
			t.Error(err)
		}
	}, cluster.WithLogger(slog.New(lines{slog.DiscardHandler})))
}

func TestAClusterInRealTime(t *testing.T) {
	c := clustertest.New(t, 2)
	if len(c.Node(0).Members()) != 2 || time.Now().Year() < 2020 {
		t.Error(c.Node(0).Members(), time.Now())
	}
}

// Counter is the protocol of the example's service.
type Counter struct{}

type Add struct {
	actor.Call[Counter, int]
	N int
}

type counter struct{ total int }

func (c *counter) add(_ *actor.Context, m Add) (int, error) {
	c.total += m.N
	return c.total, nil
}

// A test of a service whose node crashes and is replaced: minutes of virtual time
// take milliseconds.
func ExampleRun() {
	_ = func(t *testing.T) {
		clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
			service := actor.Define("counter", func() *counter { return new(counter) }, actor.OnCall((*counter).add))
			if err := c.Node(0).Serve(service); err != nil {
				t.Fatal(err)
			}
			c.AwaitService("counter", 1)
			c.Crash(0)
			c.AwaitMembers(2) // the failure was noticed
			if err := c.Restart(0).Serve(service); err != nil {
				t.Fatal(err)
			}
			c.AwaitService("counter", 1)

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			total, err := actor.Ask(ctx, cluster.Service[Counter](c.Node(1), "counter"), Add{N: 1})
			if err != nil || total != 1 {
				t.Errorf("Add = %d, %v", total, err)
			}
		})
	}
	// Output:
}
