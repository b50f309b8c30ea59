package cluster_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

// A node without a replica learns of changes from one that has. When that hangs, it asks
// another one.
func TestAWatchDoesNotWaitForAReplicaWhoseNodeHangs(t *testing.T) {
	const watches = 16 // so that some ask the one that hangs
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		after, err := persistence.Put(within(t, time.Minute), c.Node(0).Store(), "watched", nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second) // it has all its voters
		status, err := c.Node(0).Store().Status(within(t, time.Second))
		if err != nil || len(status.Voters) != 3 {
			t.Fatalf("%+v, %v", status, err)
		}
		watcher := c.Node(0)
		for i := range 4 {
			if n := c.Node(i); !slices.Contains(status.Voters, n.Name()) {
				watcher = n
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := make(chan int, 1000)
		for range watches {
			go func() {
				for changes, err := range watcher.Store().Watch(ctx, "watched", after) {
					if err != nil {
						return
					}
					seen <- len(changes.Changes)
				}
			}()
		}
		for _, name := range status.Voters {
			<-time.After(5 * time.Second) // all are in touch with each other
			host := c.Network.Host(name)
			host.Freeze()
			<-time.After(2 * time.Second) // there is a leader again, if it was that
			if _, err := persistence.Put(within(t, 4*time.Second), watcher.Store(), "watched", []byte(name)); err != nil {
				t.Fatal(err)
			}
			late := time.After(time.Second)
			for n := range watches {
				select {
				case <-seen:
				case <-late:
					t.Fatalf("%s hangs: %d of %d watches do not see the change", name, watches-n, watches)
				}
			}
			host.Thaw()
		}
	}, cluster.WithExpect(3))
}
