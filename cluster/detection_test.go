package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// noticePromise is how soon all know of a crash, with LAN timing.
const noticePromise = 3 * time.Second

func TestACrashIsNoticedByAllInTime(t *testing.T) {
	for what, crash := range map[string]func(*clustertest.Cluster){
		"process": func(c *clustertest.Cluster) { c.Crash(0) },
		"host":    func(c *clustertest.Cluster) { c.Network.Partition([]string{"node-0"}) },
	} {
		for _, nodes := range []int{2, 3, 5, 10} {
			t.Run(fmt.Sprint(what, " of ", nodes), func(t *testing.T) {
				t.Parallel()
				clustertest.Run(t, nodes, func(t *testing.T, c *clustertest.Cluster) {
					b := newBench()
					b.serve(t, c, c.Node(0))
					target := b.spawn(t, c.Node(0), c.Node(1))
					watched := make(chan time.Time, 1)
					if _, err := target.Address().Recipient().Watch(func(error) { watched <- time.Now() }); err != nil {
						t.Fatal(err)
					}
					survivors := slices.DeleteFunc(c.Nodes(), func(n *cluster.Node) bool { return n == c.Node(0) })
					<-time.After(time.Second)
					crashed := time.Now()
					crash(c)
					var all sync.WaitGroup
					for _, n := range survivors {
						all.Go(func() {
							if err := n.Await(within(t, time.Minute), func() bool {
								return len(n.Members()) == nodes-1 && len(n.Instances("worker")) == 0
							}); err != nil {
								t.Error(n.Name(), err)
							}
						})
					}
					all.Wait()
					took := time.Since(crashed)
					death := (<-watched).Sub(crashed)
					t.Logf("noticed after %v, by the watch of an actor after %v", took, death)
					if took > noticePromise || death > noticePromise {
						t.Errorf("noticed after %v, by the watch of an actor after %v; %v is promised", took, death, noticePromise)
					}
				}, cluster.WithTiming(cluster.LAN))
			})
		}
	}
}
