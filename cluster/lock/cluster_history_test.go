package lock

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// The same on a cluster whose nodes crash and whose network splits.
func TestHistoriesOfLocksOnAClusterAreLinearizable(t *testing.T) {
	seeds := 2
	if raceEnabled {
		seeds = 1
	}
	for range seeds {
		h := &history{seed: rand.Uint64()}
		t.Run(fmt.Sprintf("seed %d", h.seed), func(t *testing.T) {
			clustertest.Run(t, nodes, h.runCluster)
			h.check(t, 20)
		})
	}
}

// nodes is how many there are: three of them vote, and each has a client.
const nodes = 5

// epoch is a time without faults at its beginning and its end.
const epoch = 40 * time.Second

func (h *history) runCluster(t *testing.T, c *clustertest.Cluster) {
	l, err := acquire(t.Context(), node{c.Node(0)}, "x", nil, false)
	must(t, err)
	must(t, l.Release(t.Context()))
	<-time.After(epoch) // until three vote
	random := h.random(0)
	for range 3 {
		quit, crashing := make(chan struct{}), make(chan struct{})
		var clients [nodes]sync.WaitGroup
		victim, crash := random.IntN(nodes), random.IntN(2) == 0
		for i := range nodes {
			seed := random.Uint64()
			var gone chan struct{}
			if crash && i == victim {
				gone = crashing
			}
			clients[i].Go(func() { h.clusterClient(c.Node(i), rand.New(rand.NewPCG(seed, 0)), quit, gone) })
		}
		<-time.After(time.Duration(random.IntN(3000)) * time.Millisecond)
		if crash {
			close(crashing)
			clients[victim].Wait()
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
		close(quit)
		for i := range clients {
			clients[i].Wait()
		}
	}
	// Everybody gets it once more, whatever happened.
	for i := range nodes {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		l, err := acquire(ctx, node{c.Node(i)}, "x", nil, false)
		must(t, err)
		must(t, l.Release(ctx))
		cancel()
	}
}

// clusterClient uses the lock until quit is closed, or gone: then it may still hold it.
func (h *history) clusterClient(n *cluster.Node, random *rand.Rand, quit, gone chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-gone:
			return
		case <-time.After(time.Duration(random.IntN(1000)) * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+random.IntN(5000))*time.Millisecond)
		call := h.clock.Add(1)
		l, err := acquire(ctx, node{n}, "x", randomOptions(random), random.IntN(4) == 0)
		cancel()
		if err != nil {
			continue
		}
		h.record(call, h.clock.Add(1), operation{true, l.Token(), l.request.demand})
		select {
		case <-time.After(time.Duration(random.IntN(500)) * time.Millisecond):
		case <-l.Lost():
		case <-gone:
			h.record(h.clock.Add(1), math.MaxInt64, operation{token: l.Token()})
			return
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
