package cluster_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// announced waits until n has learnt these announcements of others.
func announced(t *testing.T, n *cluster.Node, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := n.Await(within(t, time.Minute), func() bool {
		clear(got)
		for node, data := range n.Announced("thing").All() {
			got[node] = string(data)
		}
		return maps.Equal(got, want)
	})
	if err != nil {
		t.Errorf("%s has learnt %v, want %v", n.Name(), got, want)
	}
}

func TestWhatANodeAnnouncesOthersLearn(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		announced(t, c.Node(1), nil)
		large := string(make([]byte, 100_000)) // too much for a packet
		for i, data := range []string{"one", large} {
			if err := c.Node(i).Announce("thing", []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Node(0).Announce("another", []byte("that nobody reads")); err != nil {
			t.Fatal(err)
		}
		announced(t, c.Node(0), map[string]string{"node-1": large})
		announced(t, c.Node(1), map[string]string{"node-0": "one"})
		announced(t, c.Node(2), map[string]string{"node-0": "one", "node-1": large})
		late := c.Start("node-3")
		announced(t, late, map[string]string{"node-0": "one", "node-1": large})

		before := late.Announced("thing")
		b := newBench()
		if err := c.Node(0).Serve(b.worker("worker")); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("worker", 1)
		if late.Announced("thing") != before {
			t.Error("the pointer is another one, though nothing has changed")
		}
		if err := c.Node(0).Announce("thing", nil); err != nil {
			t.Fatal(err)
		}
		announced(t, late, map[string]string{"node-1": large})
		c.Crash(1)
		announced(t, late, nil)
	})
}

func TestAnAnnouncementThatIsTooLargeChangesNothing(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		if err := n.Announce("thing", []byte("small")); err != nil {
			t.Fatal(err)
		}
		if err := n.Announce("thing", make([]byte, 2<<20)); actor.CodeOf(err) != actor.ResourceExhausted {
			t.Errorf("too large: %v", err)
		}
		if err := n.Announce("other", make([]byte, 2<<20)); actor.CodeOf(err) != actor.ResourceExhausted {
			t.Errorf("too large: %v", err)
		}
		if err := n.Serve(newBench().worker("worker")); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("worker", 1)
		announced(t, c.Node(1), map[string]string{"node-0": "small"})
		if err := n.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := n.Announce("thing", nil); !errors.Is(err, cluster.ErrLeft) {
			t.Errorf("after Leave: %v", err)
		}
		announced(t, c.Node(1), nil)
	})
}
