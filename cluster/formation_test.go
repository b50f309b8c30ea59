package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestANodeAloneIsAClusterOfOne(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n, b := c.Node(0), newBench()
		b.serve(t, c, n)
		if got, err := actor.Ask(t.Context(), workers(n), Where{}); got != "node-0" || err != nil {
			t.Errorf("Ask = %q, %v", got, err)
		}
		members := n.Members()
		if len(members) != 1 || members[0].Name != "node-0" || members[0].Address != n.Address() ||
			!slices.Equal(members[0].Services, []string{"worker"}) {
			t.Errorf("Members = %+v", members)
		}
		if n.Cluster() != "test" || n.Name() != "node-0" || n.Err() != nil {
			t.Error(n.Cluster(), n.Name(), n.Err())
		}
	})
}

func TestNodesStartedAtOnceAreOneCluster(t *testing.T) {
	for _, size := range []int{2, 3, 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
				began := time.Now()
				var starting sync.WaitGroup
				for _, i := range rand.New(rand.NewPCG(uint64(size), 0)).Perm(size) {
					name := fmt.Sprintf("n%d", i)
					starting.Go(func() {
						if _, err := c.TryStart(c.Network.Host(name), name); err != nil {
							t.Error(err)
						}
					})
				}
				starting.Wait()
				c.AwaitMembers(size)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestALateNodeLearnsAllServices(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		for i := range 200 { // too much for a packet
			if err := c.Node(2).Serve(b.worker(fmt.Sprintf("a-service-with-a-long-name-%d", i))); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		late := c.Start("late")
		if err := late.Await(within(t, 5*time.Second), func() bool {
			return len(late.Instances("worker")) == 2 && len(late.Instances("a-service-with-a-long-name-199")) == 1
		}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		instances := late.Instances("worker")
		if want := []cluster.Instance{{Node: "node-0", Path: "worker"}, {Node: "node-1", Path: "worker"}}; !slices.Equal(instances, want) {
			t.Errorf("Instances = %v", instances)
		}
	})
}

func TestAServiceEndsWithItsActor(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		wantCode(t, "serving a name twice", c.Node(0).Serve(b.worker("worker")), actor.AlreadyExists)
		if err := actor.Tell(workers(c.Node(0)), Stop{}); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("worker", 1)
		for range 100 {
			if _, err := actor.Ask(within(t, time.Minute), workers(c.Node(0)), Where{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAwaitEndsWithItsContextAndTheNode(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		never := func() bool { return false }
		wantCode(t, "Await", n.Await(within(t, time.Second), never), actor.DeadlineExceeded)
		awaited := make(chan error)
		go func() { awaited <- n.Await(context.Background(), never) }()
		if err := n.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "Await", <-awaited, actor.Unavailable)
	})
}
