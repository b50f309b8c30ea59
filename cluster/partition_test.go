package cluster_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// healTime is how long nodes may take to find each other again: that depends on chance,
// but after the 30 s in which memberlist has exchanged everything nothing is left to it.
const healTime = 30 * time.Second

func TestBothSidesOfASplitWorkAndHealToOneCluster(t *testing.T) {
	for _, split := range []time.Duration{20 * time.Second, 10 * time.Minute} {
		t.Run(split.String(), func(t *testing.T) {
			clustertest.Run(t, 5, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Node(0), c.Node(3))
				c.Network.Partition([]string{"node-0", "node-1", "node-2"}, []string{"node-3", "node-4"})
				for _, n := range c.Nodes() {
					if err := n.Await(within(t, time.Minute), func() bool { return len(n.Instances("worker")) == 1 }); err != nil {
						t.Fatal(n.Name(), err)
					}
				}
				for i, want := range []string{"node-0", "node-0", "node-0", "node-3", "node-3"} {
					for range 20 {
						if got, err := actor.Ask(within(t, time.Minute), workers(c.Node(i)), Where{}); got != want || err != nil {
							t.Fatalf("from node-%d: %q, %v", i, got, err)
						}
					}
				}
				<-time.After(split)
				c.Network.Heal()
				began := time.Now()
				c.AwaitMembers(5)
				c.AwaitService("worker", 2)
				if took := time.Since(began); took > healTime {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// Nothing but the memory of lost members brings these together again.
func TestASplitHealsWithoutDiscovery(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		first := c.Start("first", cluster.WithDiscovery())
		c.Start("second", cluster.WithDiscovery(&once{addresses: []string{first.Address()}}))
		c.AwaitMembers(2)
		c.Network.Partition([]string{"first"}, []string{"second"})
		c.AwaitMembers(1)
		<-time.After(time.Hour)
		c.Network.Heal()
		began := time.Now()
		c.AwaitMembers(2)
		if took := time.Since(began); took > healTime {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCallsSucceedOverABadNetwork(t *testing.T) {
	for seed := range 3 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Node(0), c.Node(1))
				c.Network.SetDelay(time.Millisecond, 80*time.Millisecond)
				c.Network.SetLoss(0.2)
				for i := range 300 {
					if _, err := actor.Ask(within(t, time.Minute), workers(c.Node(2)), Again{}); err != nil {
						t.Fatalf("call %d: %v", i, err)
					}
				}
				<-time.After(10 * time.Minute)
				for _, n := range c.Nodes() { // a live one may be given up for seconds
					if err := n.Await(within(t, time.Minute), func() bool { return len(n.Members()) == 3 }); err != nil {
						t.Errorf("%s sees %v", n.Name(), n.Members())
					}
				}
				c.Network.SetLoss(0)
			}, cluster.WithTiming(cluster.LAN))
		})
	}
}

func TestClustersOnOneNetworkDoNotMix(t *testing.T) {
	for what, keys := range map[string]struct{ secret, cluster string }{
		"another secret": {"another secret than the harness has", "test"},
		"another name":   {"no secret at all, but long enough", "other"},
	} {
		t.Run(what, func(t *testing.T) {
			other := cluster.WithCredentials(derive(t, keys.secret, keys.cluster))
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
				ours, theirs := newBench(), newBench()
				ours.serve(t, c, c.Node(0))
				var foreign []*cluster.Node
				for _, name := range []string{"x", "node-0"} { // a name of ours, too
					n, err := c.TryStart(c.Network.Host("foreign-"+name), name, other)
					if err != nil {
						t.Fatal(err)
					}
					foreign = append(foreign, n)
				}
				if err := foreign[0].Serve(theirs.worker("worker")); err != nil {
					t.Fatal(err)
				}
				<-time.After(10 * time.Minute)
				for _, n := range c.Nodes() {
					if len(n.Members()) != 2 || len(n.Instances("worker")) != 1 {
						t.Errorf("%s sees %v", n.Name(), n.Members())
					}
				}
				for range 20 {
					if got, err := actor.Ask(t.Context(), workers(c.Node(1)), Where{}); got != "node-0" || err != nil {
						t.Fatal(got, err)
					}
					if got, err := actor.Ask(t.Context(), workers(foreign[1]), Where{}); got != "x" || err != nil {
						t.Fatal(got, err)
					}
				}
			})
		})
	}
}

// once is a Discovery that finds something the first time only.
type once struct {
	mu        sync.Mutex
	addresses []string
}

func (*once) Name() string { return "once" }

func (*once) Announce(context.Context, string, string, string) error { return nil }

func (*once) Withdraw(context.Context) error { return nil }

func (o *once) Find(context.Context, string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.addresses
	o.addresses = nil
	return found, nil
}
