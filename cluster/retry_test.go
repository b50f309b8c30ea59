package cluster_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestInstancesThatAreGoneAreForgotten(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		ref := workers(c.Node(0))
		for range 20 {
			b.serve(t, c, c.Node(1))
			if err := actor.Tell(ref, Stop{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it has ended, and the caller may not know yet
			_, err := actor.Ask(within(t, time.Second), ref, Where{})
			if err == nil {
				t.Fatal("an instance that has ended answers")
			}
			c.AwaitService("worker", 0)
		}
		if got := cluster.Avoided(c.Node(0)); got != 0 {
			t.Errorf("%d are avoided, and none is there", got)
		}
	})
}

// BenchmarkServiceAfterFailures calls a service of which instances have failed and gone.
func BenchmarkServiceAfterFailures(b *testing.B) {
	for _, failed := range []int{0, 200} {
		b.Run(fmt.Sprint(failed), func(b *testing.B) {
			c := clustertest.New(b, 2, cluster.WithLogger(slog.New(slog.DiscardHandler)))
			bench := newBench()
			ref := workers(c.Node(0))
			gone := func(i int) string { return fmt.Sprint("gone-", i) }
			for i := range failed {
				if err := c.Node(1).Serve(bench.worker(gone(i))); err != nil {
					b.Fatal(err)
				}
			}
			for i := range failed {
				c.AwaitService(gone(i), 1)
				instance := cluster.Service[Worker](c.Node(0), gone(i))
				if err := actor.Tell(instance, Stop{}); err != nil {
					b.Fatal(err)
				}
				for j := 0; j < 1000; j++ { // until it has ended
					if _, err := actor.Ask(within(b, time.Second), instance, Where{}); err != nil {
						break
					}
				}
			}
			for i := range failed {
				c.AwaitService(gone(i), 0)
			}
			bench.serve(b, c, c.Node(0))
			for b.Loop() {
				if _, err := actor.Ask(b.Context(), ref, Where{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cluster.Avoided(c.Node(0))), "avoided")
		})
	}
}
