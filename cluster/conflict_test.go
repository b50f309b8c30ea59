package cluster_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/discovery"
)

func TestTheNameOfALiveNodeIsTaken(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		<-time.After(time.Second)
		n, err := c.TryStart(c.Network.Host("other"), "node-0")
		if n != nil || !errors.Is(err, cluster.ErrNameTaken) || actor.CodeOf(err) != actor.AlreadyExists {
			t.Errorf("Join = %v, %v", n, err)
		}
		<-time.After(time.Minute)
		if err := c.Node(0).Err(); err != nil || len(c.Node(1).Members()) != 2 {
			t.Errorf("the first node: %v; its peer sees %v", err, c.Node(1).Members())
		}
	})
}

func TestOfTwoNodesStartedAtOnceWithOneNameOneStays(t *testing.T) {
	for range 5 {
		clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
			var mu sync.Mutex
			var joined []*cluster.Node
			var starting sync.WaitGroup
			for _, host := range []string{"here", "there"} {
				h := c.Network.Host(host)
				starting.Go(func() {
					n, err := c.TryStart(h, "twin")
					if err != nil {
						if !errors.Is(err, cluster.ErrNameTaken) {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					defer mu.Unlock()
					joined = append(joined, n)
				})
			}
			starting.Wait()
			<-time.After(time.Minute)
			staying := 0
			for _, n := range joined {
				select {
				case <-n.Done():
					if !errors.Is(n.Err(), cluster.ErrNameTaken) {
						t.Error(n.Err())
					}
				default:
					staying++
				}
			}
			if staying != 1 || len(c.Node(0).Members()) != 2 {
				t.Errorf("%d stay, and %v are seen", staying, c.Node(0).Members())
			}
		})
	}
}

func TestWhenASplitHealsTheLaterOfOneNameLeaves(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		<-time.After(time.Second)
		c.Network.Partition([]string{"node-0"}, []string{"node-1", "usurper"})
		if err := c.Node(1).Await(within(t, time.Minute), func() bool { return len(c.Node(1).Members()) == 1 }); err != nil {
			t.Fatal(err)
		}
		later, err := c.TryStart(c.Network.Host("usurper"), "node-0", cluster.WithDiscovery(discovery.Static(c.Node(1).Address())))
		if err != nil {
			t.Fatal(err)
		}
		c.Network.Heal()
		select {
		case <-later.Done():
		case <-time.After(time.Minute):
			t.Fatal("both stay")
		}
		if err := later.Err(); !errors.Is(err, cluster.ErrNameTaken) {
			t.Errorf("Err = %v", err)
		}
		c.AwaitMembers(2)
		if err := c.Node(0).Err(); err != nil {
			t.Error("the earlier one:", err)
		}
		for _, m := range c.Node(1).Members() {
			if m.Name == "node-0" && m.Address != c.Node(0).Address() {
				t.Errorf("node-0 is seen at %s", m.Address)
			}
		}
	})
}
