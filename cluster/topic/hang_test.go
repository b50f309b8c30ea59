package topic

import (
	"context"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// What is published while the owner of its partition hangs goes to the next one, and is
// stored once.
func TestAnOwnerOfAPartitionThatHangsIsNotWaitedFor(t *testing.T) {
	const partitions = 16 // so that every node owns one
	many := func(n *cluster.Node) *Topic[Placed] {
		return Of[Placed](n, "many", Durable(), Partitions(partitions))
	}
	for _, who := range []string{"leader", "another"} {
		t.Run(who, func(t *testing.T) {
			playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				for i := range 3 {
					put(t, many(c.Node(i)), Placed{"before", i}) // all use it
				}
				settle()
				leader := indexOf(t, c, c.Node(0).Store().Leader())
				info, err := many(c.Node(0)).Inspect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				partition, hung := -1, 0
				for _, p := range info.Partitions {
					if at := indexOf(t, c, p.Node); (at == leader) == (who == "leader") {
						partition, hung = p.Partition, at
					}
				}
				if partition < 0 {
					t.Fatalf("node %d owns nothing: %+v", leader, info.Partitions)
				}
				n := 0
				for partitionOf(keyOf(n), "", partitions) != partition {
					n++
				}
				asker := many(c.Node((hung + 1) % 3))
				host := c.Network.Host(c.Node(hung).Name())
				host.Freeze()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				if err := asker.Publish(ctx, Placed{"hung", n}, Key(keyOf(n))); err != nil {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				t.Logf("stored after %v", time.Since(began))
				host.Thaw()
				settle()
				info, err = asker.Inspect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				events := uint64(0)
				for _, p := range info.Partitions {
					events += p.Next - p.First
				}
				if events != 4 {
					t.Errorf("%d events are stored, want 4", events)
				}
			})
		})
	}
}
