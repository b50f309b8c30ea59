package cluster_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/balancertest"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestBalancersKeepTheContract(t *testing.T) {
	t.Run("random", func(t *testing.T) {
		balancertest.Run(t, func() cluster.Balancer { return cluster.Random{} }, balancertest.LeavesNoneOut)
	})
	t.Run("round robin", func(t *testing.T) {
		balancertest.Run(t, func() cluster.Balancer { return new(cluster.RoundRobin) }, balancertest.LeavesNoneOut)
	})
	t.Run("consistent hash", func(t *testing.T) {
		byKey := func() cluster.Balancer {
			return cluster.ConsistentHash{Key: func(m any) string { return fmt.Sprint(m) }}
		}
		balancertest.Run(t, byKey, balancertest.LeavesNoneOut)
	})
}

func TestRandomAndRoundRobinLeaveNoInstanceOut(t *testing.T) {
	const calls = 4000
	for what, test := range map[string]struct {
		balancer  cluster.Balancer
		deviation int
	}{
		"random":      {cluster.Random{}, 200}, // seven standard deviations
		"round robin": {new(cluster.RoundRobin), 0},
	} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Nodes()...)
				ref := workers(c.Node(0), cluster.WithBalancer(test.balancer))
				for range calls {
					if _, err := actor.Ask(t.Context(), ref, Where{}); err != nil {
						t.Fatal(err)
					}
				}
				for _, n := range c.Nodes() {
					if off := b.runsOn(n.Name()) - calls/4; off > test.deviation || off < -test.deviation {
						t.Errorf("%s got %d of %d calls", n.Name(), b.runsOn(n.Name()), calls)
					}
				}
			})
		})
	}
}

func TestTheHashSticksAndMovesAFairShare(t *testing.T) {
	clustertest.Run(t, 5, func(t *testing.T, c *clustertest.Cluster) {
		const keys = 1000
		b := newBench()
		b.serve(t, c, c.Nodes()...)
		owners := func(n *cluster.Node) map[string]string {
			ref, by := workers(n, cluster.WithBalancer(cluster.ConsistentHash{})), map[string]string{}
			for i := range keys {
				key := fmt.Sprint("key-", i)
				owner, err := actor.Ask(t.Context(), ref, Where{Key: key})
				if err != nil {
					t.Fatal(err)
				}
				by[key] = owner
			}
			return by
		}
		before := owners(c.Node(0))
		share := map[string]int{}
		for key, owner := range owners(c.Node(1)) {
			share[owner]++
			if before[key] != owner {
				t.Fatalf("%s is on %s for one node and on %s for another", key, before[key], owner)
			}
		}
		// Five standard deviations of a binomial distribution.
		bound := func(p float64) int { return int(keys*p + 5*math.Sqrt(keys*p*(1-p))) }
		for node, n := range share {
			if n > bound(1.0/5) {
				t.Errorf("%s has %d of %d keys", node, n, keys)
			}
		}

		late := c.Start("late")
		if err := late.Serve(b.worker("worker")); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("worker", 6)
		moved := 0
		joined := owners(c.Node(0))
		for key, owner := range joined {
			if owner != before[key] {
				moved++
				if owner != "late" {
					t.Errorf("%s moved from %s to %s when another node joined", key, before[key], owner)
				}
			}
		}
		if moved == 0 || moved > bound(1.0/6) {
			t.Errorf("%d of %d keys moved when a node joined", moved, keys)
		}

		leave(t, late)
		c.AwaitService("worker", 5)
		for key, owner := range owners(c.Node(0)) {
			if owner != before[key] {
				t.Errorf("%s is on %s, not back on %s", key, owner, before[key])
			}
		}
	})
}

func TestAMessageWithoutAKeyCannotBeHashed(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Nodes()...)
		_, err := actor.Ask(t.Context(), workers(c.Node(0), cluster.WithBalancer(cluster.ConsistentHash{})), Again{})
		wantCode(t, "Ask", err, actor.InvalidArgument)
	})
}

type pick func(message any, candidates []cluster.Instance) (int, error)

func (p pick) Pick(message any, candidates []cluster.Instance) (int, error) {
	return p(message, candidates)
}

func TestABalancerOfOnesOwnDecides(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Nodes()...)
		ask := func(p pick) (string, error) {
			return actor.Ask(within(t, time.Minute), workers(c.Node(0), cluster.WithBalancer(&p)), Where{Key: "k"})
		}
		got, err := ask(func(message any, candidates []cluster.Instance) (int, error) {
			if message != (Where{Key: "k"}) || len(candidates) != 3 || candidates[2].Node != "node-2" {
				t.Error(message, candidates)
			}
			return 2, nil
		})
		if got != "node-2" || err != nil {
			t.Errorf("Ask = %q, %v", got, err)
		}
		for _, index := range []int{-1, 3} {
			_, err = ask(func(any, []cluster.Instance) (int, error) { return index, nil })
			wantCode(t, fmt.Sprint("index ", index), err, actor.Internal)
		}
		refused := errors.New("none is good enough")
		_, err = ask(func(any, []cluster.Instance) (int, error) { return 0, refused })
		if !errors.Is(err, refused) {
			t.Errorf("Ask = %v", err)
		}
		_, err = ask(func(any, []cluster.Instance) (int, error) { panic("a broken balancer") })
		wantCode(t, "a panic", err, actor.Internal)
		if got, err := actor.Ask(t.Context(), workers(c.Node(0)), Where{}); got == "" || err != nil {
			t.Errorf("other Refs: %q, %v", got, err)
		}
	})
}

func TestAServiceWithoutInstancesIsUnavailableAtOnce(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		began := time.Now()
		for _, name := range []string{"nobody", "", "odd name/with #things?", "\x00\xff"} {
			ref := cluster.Service[Worker](c.Node(0), name)
			_, err := actor.Ask(t.Context(), ref, Where{})
			wantCode(t, "Ask", err, actor.Unavailable)
			if !actor.AsError(err).NotRun {
				t.Error("it may have run:", err)
			}
			wantCode(t, "Tell", actor.Tell(ref, Note{}), actor.Unavailable)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAServiceNameMayHaveAllCharactersOfActorNames(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		const name = "A-z_0.9~@:+=,"
		b := newBench()
		if err := c.Node(0).Serve(b.worker(name)); err != nil {
			t.Fatal(err)
		}
		c.AwaitService(name, 1)
		ref := cluster.Service[Worker](c.Node(1), name)
		if got, err := actor.Ask(t.Context(), ref, Where{}); got != "node-0" || err != nil {
			t.Errorf("Ask = %q, %v", got, err)
		}
		same, err := actor.Resolve[Worker](c.Node(1).System(), ref.String())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := actor.Ask(t.Context(), same, Where{}); got != "node-0" || err != nil {
			t.Errorf("Ask of the resolved Ref = %q, %v", got, err)
		}
		wantCode(t, "an impossible name", c.Node(0).Serve(b.worker("a/b")), actor.InvalidArgument)
	})
}

// Stranger is a protocol that no worker speaks.
type Stranger struct{}

type Hail struct{ actor.Call[Stranger, string] }

func TestAServiceOfAnotherProtocolIsUnimplemented(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		newBench().serve(t, c, c.Node(0))
		for _, n := range c.Nodes() {
			_, err := actor.Ask(t.Context(), cluster.Service[Stranger](n, "worker"), Hail{})
			wantCode(t, "Ask", err, actor.Unimplemented)
		}
	})
}

func TestAPatientCallerWaitsForTheFirstInstance(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		patient := cluster.Service[Worker](c.Node(1), "worker", cluster.WaitForInstance())
		_, err := actor.Ask(within(t, time.Second), patient, Where{})
		wantCode(t, "Ask without an instance", err, actor.DeadlineExceeded)
		if !actor.AsError(err).NotRun {
			t.Errorf("%v: NotRun is not set", err)
		}
		answered := make(chan error, 1)
		go func() {
			_, err := actor.Ask(within(t, time.Minute), patient, Where{})
			answered <- err
		}()
		<-time.After(time.Second)
		newBench().serve(t, c, c.Node(0))
		if err := <-answered; err != nil {
			t.Errorf("Ask that waited: %v", err)
		}
	})
}

func TestAPatientCallerWaitsAlsoWhenTheLastInstanceHasGone(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0))
		patient := cluster.Service[Worker](c.Node(1), "worker", cluster.WaitForInstance())
		c.Crash(0)
		answered := make(chan error, 1)
		go func() {
			_, err := actor.Ask(within(t, time.Minute), patient, Where{})
			answered <- err
		}()
		<-time.After(10 * time.Second)
		b.serve(t, c, c.Restart(0))
		if err := <-answered; err != nil {
			t.Errorf("Ask that waited: %v", err)
		}
	})
}
