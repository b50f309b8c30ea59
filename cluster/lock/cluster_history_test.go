package lock

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

// The same on a cluster whose nodes crash and whose network splits.
func TestHistoriesOfLocksOnAClusterAreLinearizable(t *testing.T) {
	seeds := 1
	if os.Getenv("TROUPE_THOROUGH") != "" {
		seeds = 2
	}
	for range seeds {
		h := &history{seed: rand.Uint64()}
		t.Run(fmt.Sprintf("seed %d", h.seed), func(t *testing.T) {
			clustertest.Run(t, nodes, h.runCluster)
			h.check(t, 20)
		})
	}
}

// nodes is how many there are: three of them vote, and each has some clients.
const (
	nodes          = 5
	clientsPerNode = 3
)

// epoch is a time without faults at its beginning and its end.
const epoch = 40 * time.Second

func (h *history) runCluster(t *testing.T, c *clustertest.Cluster) {
	l, err := acquire(t.Context(), node{c.Node(0)}, "x", nil, false)
	must(t, err)
	must(t, l.Release(t.Context()))
	<-time.After(epoch) // until three vote
	random := h.random(0)
	quit := make(chan struct{})
	var clients sync.WaitGroup
	for i := range nodes * clientsPerNode {
		clients.Go(func() { h.clusterClient(c, i%nodes, h.random(uint64(1+i)), quit) })
	}
	for range 3 {
		<-time.After(time.Duration(random.IntN(3000)) * time.Millisecond)
		victim, crash := random.IntN(nodes), random.IntN(2) == 0
		if crash {
			c.Crash(victim)
		} else {
			c.Network.Partition([]string{c.Node(victim).Name()})
		}
		<-time.After(time.Duration(5+random.IntN(10)) * time.Second)
		if crash {
			c.Restart(victim)
		} else {
			c.Network.Heal()
		}
		<-time.After(epoch)
	}
	close(quit)
	clients.Wait()
	// Everybody gets it once more, whatever happened.
	for i := range nodes {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		l, err := acquire(ctx, node{c.Node(i)}, "x", nil, false)
		must(t, err)
		must(t, l.Release(ctx))
		cancel()
	}
}

// clusterClient uses the lock on a node, and on the one that takes its place when it has
// crashed, until quit is closed. On a node that has crashed it goes on with what it has
// begun.
func (h *history) clusterClient(c *clustertest.Cluster, i int, random *rand.Rand, quit chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-time.After(time.Duration(random.IntN(1000)) * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+random.IntN(5000))*time.Millisecond)
		call := h.clock.Add(1)
		l, err := acquire(ctx, node{c.Node(i)}, "x", randomOptions(random), random.IntN(4) == 0)
		cancel()
		if err != nil {
			continue
		}
		h.record(call, h.clock.Add(1), operation{true, l.Token(), l.request.demand})
		select {
		case <-time.After(time.Duration(random.IntN(500)) * time.Millisecond):
		case <-l.Lost():
		}
		call = h.clock.Add(1)
		ended := int64(math.MaxInt64)
		ctx, cancel = context.WithTimeout(context.Background(), time.Second)
		if l.Release(ctx) == nil && l.session.Err() == nil {
			ended = h.clock.Add(1)
		}
		cancel()
		h.record(call, ended, operation{token: l.Token()})
	}
}
