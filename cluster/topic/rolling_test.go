package topic

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

// While three nodes leave and come back in turn, nothing that had five seconds fails on the
// others: no publish, and nothing else that is asked of a topic.
func TestNothingFailsWhileNodesAreRestartedInTurn(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 3 {
			j.subscribe(t, c.Node(i), "billing")
		}
		settle()
		var number, failed atomic.Int64
		var slowest atomic.Int64
		for leaving := range 3 {
			stop := make(chan struct{})
			var users sync.WaitGroup
			for i := range 3 {
				if i == leaving {
					continue
				}
				orders := durable(c.Node(i))
				for p := range 3 {
					users.Go(func() {
						for {
							select {
							case <-stop:
								return
							case <-time.After(100 * time.Millisecond):
							}
							e, key := Placed{c.Node(i).Name(), int(number.Add(1))}, keyOf(p)
							ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
							began := time.Now()
							err := orders.Publish(ctx, e, Key(key), ID(fmt.Sprint(e.N)))
							if err == nil && p == 0 {
								_, err = orders.Inspect(ctx)
							}
							cancel()
							slowest.Store(max(slowest.Load(), int64(time.Since(began))))
							if err != nil {
								failed.Add(1)
								t.Errorf("node %d leaves: node %d failed after %v: %v", leaving, i, time.Since(began), err)
								return
							}
							j.stored(e, key)
						}
					})
				}
			}
			<-time.After(300 * time.Millisecond)
			name := c.Node(leaving).Name()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := c.Node(leaving).Leave(ctx); err != nil {
				t.Errorf("%s leaves: %v", name, err)
			}
			cancel()
			<-time.After(time.Second)
			c.Restart(leaving)
			j.subscribe(t, c.Node(leaving), "billing")
			<-time.After(time.Second)
			close(stop)
			users.Wait()
			t.Logf("node %d is back; the slowest operation took %v", leaving, time.Duration(slowest.Swap(0)))
		}
		j.await(t, "billing")
		settle()
		t.Logf("%d operations, %d failed, %d redeliveries", number.Load(), failed.Load(), j.judge(t))
	})
}
