package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Newest is handled by the newest instances alone.
type Newest struct{ actor.Call[Worker, string] }

func (b *bench) newest(name string) actor.Definition[Worker] {
	return actor.Define(name, func() *worker { return &worker{bench: b} },
		actor.OnCall((*worker).where),
		actor.OnCall(func(w *worker, ctx *actor.Context, _ Newest) (string, error) { return w.where(ctx, Where{}) }))
}

func TestWhatAnOlderInstanceDoesNotHandleIsTriedElsewhere(t *testing.T) {
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		last := c.Node(3)
		b.serve(t, c, c.Node(0), c.Node(1), c.Node(2))
		if err := last.Serve(b.newest("worker")); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("worker", 4)
		ref := workers(c.Node(0))
		begin := time.Now()
		for i := range 2000 { // more than the budget of retries
			if on, err := actor.Ask(within(t, time.Minute), ref, Newest{}); on != last.Name() || err != nil {
				t.Fatal(i, on, err)
			}
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("took %v", took)
		}
		for range 1000 {
			if _, err := actor.Ask(within(t, time.Minute), ref, Where{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range c.Nodes()[:3] { // what they do handle still comes to them
			if b.runsOn(n.Name()) < 100 {
				t.Errorf("%s ran %d", n.Name(), b.runsOn(n.Name()))
			}
		}
	})
}

func TestWhatNoInstanceHandlesFailsAtOnce(t *testing.T) {
	for name, options := range map[string][]cluster.ServiceOption{
		"":                  nil,
		"patient":           {cluster.WaitForInstance()},
		"in turn":           {cluster.WithBalancer(new(cluster.RoundRobin))},
		"by a key":          {cluster.WithBalancer(cluster.ConsistentHash{Key: func(any) string { return "k" }})},
		"patient, in turns": {cluster.WaitForInstance(), cluster.WithBalancer(new(cluster.RoundRobin))},
	} {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Nodes()...)
				ref := workers(c.Node(0), options...)
				for range 700 { // more than the budget of retries
					begin := time.Now()
					_, err := actor.Ask(within(t, time.Minute), ref, Newest{})
					e := actor.AsError(err)
					if e == nil || e.Code != actor.Unimplemented || !e.NotRun || !strings.Contains(e.Message, "Newest") {
						t.Fatal(err)
					}
					if took := time.Since(begin); took > time.Second {
						t.Fatalf("took %v", took)
					}
				}
				c.Crash(2) // there is budget left for what has to be tried again
				for range 50 {
					if _, err := actor.Ask(within(t, time.Minute), ref, Again{}); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

func TestAnInstanceOfTheServiceAsksAnotherOne(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Nodes()...)
		// An instance that would ask itself fails with FailedPrecondition; the other can.
		for range 20 {
			on, err := actor.Ask(within(t, time.Minute), workers(c.Node(0)), Ring{To: []actor.Ref[Worker]{workers(c.Node(0))}})
			if err != nil || len(on) != 2 || on[0] == on[1] {
				t.Fatal(on, err)
			}
		}
	})
}
