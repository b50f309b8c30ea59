package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

// settled is when the nodes that are to vote do.
const settled = 30 * time.Second

func TestTheStoreIsBackedUpAndRestoredOnAnyNode(t *testing.T) {
	for _, nodes := range []int{1, 4} { // of which three vote
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			clustertest.Run(t, nodes, func(t *testing.T, c *clustertest.Cluster) {
				put := func(n *cluster.Node, key, value string) persistence.Revision {
					t.Helper()
					revision, err := persistence.Put(t.Context(), n.Store(), key, []byte(value))
					if err != nil {
						t.Fatal(err)
					}
					return revision
				}
				put(c.Node(0), "price", "17")
				put(c.Node(0), "large", string(make([]byte, 1<<20)))
				<-time.After(settled)
				for i := range nodes {
					n := c.Node(i)
					var backup bytes.Buffer
					if err := n.Store().Backup(t.Context(), &backup); err != nil {
						t.Fatalf("%s: %v", n.Name(), err)
					}
					put(n, "price", "18")
					before := put(n, "goes", "")
					if err := n.Store().Restore(t.Context(), &backup); err != nil {
						t.Fatalf("%s: %v", n.Name(), err)
					}
					for _, n := range c.Nodes() {
						got, err := n.Store().Get(t.Context(), "price")
						if err != nil || string(got.Value) != "17" {
							t.Errorf("%s: %q, %v", n.Name(), got.Value, err)
						}
						if _, err := n.Store().Get(t.Context(), "goes"); !errors.Is(err, persistence.ErrNotFound) {
							t.Errorf("%s: what was there before: %v", n.Name(), err)
						}
					}
					if after := put(n, "next", ""); after <= before {
						t.Errorf("revision %d after %d", after, before)
					}
				}
			})
		})
	}
}

func TestTheStatusOfTheStoreTellsWhetherThereIsAQuorum(t *testing.T) {
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		status := func(n *cluster.Node) cluster.StoreStatus {
			s, err := n.Store().Status(t.Context())
			if err != nil {
				t.Errorf("%s: %v", n.Name(), err)
			}
			return s
		}
		if s := status(c.Node(0)); s.Quorum || s.Leader != "" || len(s.Voters) > 0 {
			t.Errorf("before the first use: %+v", s)
		}
		revision, err := persistence.Put(t.Context(), c.Node(3).Store(), "k", nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(settled)
		for _, n := range c.Nodes() {
			s := status(n)
			if !s.Quorum || s.Leader != c.Node(0).Store().Leader() || len(s.Voters) != 3 || !slices.Contains(s.Voters, s.Leader) || s.Revision != revision {
				t.Errorf("%s: %+v", n.Name(), s)
			}
		}
		voters := status(c.Node(0)).Voters
		c.Network.Partition([]string{"node-0"}, []string{"node-1", "node-2", "node-3"})
		<-time.After(settled)
		start := time.Now()
		if s := status(c.Node(0)); s.Quorum || s.Leader != "" || !slices.Equal(s.Voters, voters) {
			t.Errorf("in a minority: %+v", s)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("in a minority it took %v", took)
		}
		if s := status(c.Node(1)); !s.Quorum {
			t.Errorf("in the majority: %+v", s)
		}
		c.Network.Heal()
		<-time.After(settled)
	})
}
