package topic

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestADurableTopicKeepsItsPromisesWhileNodesCrashAndNetworksSplit(t *testing.T) {
	seeds := uint64(1)
	if os.Getenv("TROUPE_THOROUGH") != "" {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			clustertest.Run(t, 5, func(t *testing.T, c *clustertest.Cluster) { torment(t, c, seed) }, cluster.WithExpect(3), cluster.WithVoters(3))
		})
	}
}

// torment disturbs a cluster in which everybody publishes and consumes.
func torment(t *testing.T, c *clustertest.Cluster, seed uint64) {
	random := newRandom(seed)
	j := newJournal()
	for i := range 5 {
		put(t, durable(c.Node(i)), Placed{"start", i})
		j.subscribe(t, c.Node(i), "billing", Window(1+random.IntN(10)))
		j.subscribe(t, c.Node(i), "audit")
	}
	status, err := c.Node(0).Store().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var publishing sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for i := range 5 {
		n := c.Node(i)
		publishing.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				e, key := Placed{n.Name(), k}, keyOf(k%5)
				for ctx.Err() == nil && n.Err() == nil {
					trying, cancel := context.WithTimeout(ctx, 3*time.Second)
					err := durable(n).Publish(trying, e, Key(key), ID(fmt.Sprint(n.Name(), k)))
					cancel()
					if err == nil {
						j.stored(e, key)
						break
					}
				}
				<-time.After(50 * time.Millisecond)
			}
		})
	}
	// Of those who do not keep the store, all may crash; of those who do, none: they have
	// it in memory here.
	crashed := 0
	for range 6 {
		<-time.After(time.Duration(1+random.IntN(5)) * time.Second)
		i := random.IntN(5)
		name := c.Node(i).Name()
		switch keeps := slices.Contains(status.Voters, name); {
		case !keeps && crashed < 2 && random.IntN(2) == 0 && c.Node(i).Err() == nil:
			c.Crash(i)
			crashed++
		case random.IntN(2) == 0:
			c.Network.Partition([]string{name})
			<-time.After(time.Duration(random.IntN(15)) * time.Second)
			c.Network.Heal()
		default:
			c.Network.Host(name).Freeze()
			<-time.After(time.Duration(random.IntN(15)) * time.Second)
			c.Network.Host(name).Thaw()
		}
	}
	c.Network.Heal()
	<-time.After(20 * time.Second)
	stop()
	publishing.Wait()
	j.await(t, "billing", "audit")
	settle()
	t.Logf("%d events, %d redeliveries, %d crashes", len(j.acked), j.judge(t), crashed)
	if len(j.acked) < 500 {
		t.Errorf("only %d events were published: nothing was tested", len(j.acked))
	}
}
