package cluster_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestADeadInstanceCostsNoCall(t *testing.T) {
	for what, balancer := range map[string]cluster.Balancer{"random": cluster.Random{}, "round robin": new(cluster.RoundRobin)} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Node(0), c.Node(1))
				ref := workers(c.Node(2), cluster.WithBalancer(balancer))
				for range 100 { // the links are up, and broken then
					if _, err := actor.Ask(within(t, time.Minute), ref, Where{}); err != nil {
						t.Fatal(err)
					}
				}
				c.Crash(0)
				synctest.Wait()
				for i := range 1000 {
					if got, err := actor.Ask(within(t, time.Minute), ref, Where{}); got != "node-1" || err != nil {
						t.Fatalf("call %d: %q, %v", i, got, err)
					}
				}
				if len(c.Node(2).Instances("worker")) != 2 {
					t.Error("the crash was noticed before the test was over")
				}
			})
		})
	}
}

// outcome is how one ask ended.
type outcome struct {
	node string
	err  error
	took time.Duration
}

func askMany[Q actor.Request[Worker, string]](ctx context.Context, ref actor.Ref[Worker], askers int, q Q) <-chan outcome {
	outcomes := make(chan outcome, askers)
	for range askers {
		go func() {
			began := time.Now()
			node, err := actor.Ask(ctx, ref, q)
			outcomes <- outcome{node, err, time.Since(began)}
		}()
	}
	return outcomes
}

// A crash takes with it only what is in flight to the node, and fails that at
// once; what may be handled twice is handled elsewhere.
func TestACrashUnderLoadFailsOnlyWhatWasInFlight(t *testing.T) {
	const askers = 64
	run := func(t *testing.T, inFlight func(*testing.T, *clustertest.Cluster) <-chan outcome, check func(*testing.T, []outcome)) {
		clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
			b := newBench()
			b.serve(t, c, c.Node(0), c.Node(1), c.Node(2))
			held := inFlight(t, c)
			// Each instance handles one, the others wait in its mailbox.
			on := map[string]bool{}
			for len(on) < 3 {
				on[<-b.holding] = true
			}
			var more sync.WaitGroup
			for range askers {
				more.Go(func() {
					for range 20 {
						_, err := actor.Ask(within(t, time.Minute), workers(c.Node(3), cluster.WithBalancer(new(cluster.RoundRobin))), Again{})
						if err != nil {
							t.Error("an idempotent call:", err)
						}
						<-time.After(10 * time.Millisecond)
					}
				})
			}
			<-time.After(50 * time.Millisecond)
			c.Crash(0)
			close(b.gate)
			more.Wait()
			var all []outcome
			for range askers {
				all = append(all, <-held)
			}
			check(t, all)
		})
	}
	deadline := time.Hour
	t.Run("idempotent", func(t *testing.T) {
		run(t, func(t *testing.T, c *clustertest.Cluster) <-chan outcome {
			return askMany(within(t, deadline), workers(c.Node(3)), askers, HoldAgain{})
		}, func(t *testing.T, all []outcome) {
			for _, o := range all {
				if o.err != nil || o.node == "node-0" || o.took > 30*time.Second {
					t.Errorf("%+v", o)
				}
			}
		})
	})
	t.Run("not idempotent", func(t *testing.T) {
		run(t, func(t *testing.T, c *clustertest.Cluster) <-chan outcome {
			return askMany(within(t, deadline), workers(c.Node(3)), askers, Hold{})
		}, func(t *testing.T, all []outcome) {
			lost := 0
			for _, o := range all {
				switch {
				case o.took > 30*time.Second:
					t.Errorf("it waited: %+v", o)
				case o.err == nil:
				case actor.CodeOf(o.err) != actor.Unavailable || actor.AsError(o.err).NotRun:
					t.Errorf("%+v", o)
				default:
					lost++
				}
			}
			if lost == 0 || lost > askers*2/3 {
				t.Errorf("%d of %d calls were lost, want about a third", lost, askers)
			}
		})
	})
}

func TestPendingAsksEndWhenAFrozenNodeIsGivenUp(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0))
		held := askMany(context.Background(), workers(c.Node(2)), 64, Hold{})
		<-b.holding
		c.Network.Host("node-0").Freeze()
		began := time.Now()
		queued := askMany(context.Background(), workers(c.Node(2)), 64, Where{})
		for range 64 {
			for _, outcomes := range []<-chan outcome{held, queued} {
				if o := <-outcomes; actor.CodeOf(o.err) != actor.Unavailable {
					t.Errorf("%+v", o)
				}
			}
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
		_, err := actor.Ask(context.Background(), workers(c.Node(2)), Where{})
		wantCode(t, "Ask without an instance", err, actor.Unavailable)
		c.Network.Host("node-0").Thaw()
		c.AwaitService("worker", 1)
		if _, err := actor.Ask(within(t, time.Minute), workers(c.Node(2)), Echo{}); actor.CodeOf(err) == actor.Unavailable {
			t.Error("Ask after the thaw:", err)
		}
		close(b.gate)
	})
}

// The harm of a broken link is that of one node: the others go on meanwhile.
func TestAFrozenNodeDisturbsNoOther(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		frozen := b.spawn(t, c.Node(0), c.Node(2))
		alive := b.spawn(t, c.Node(1), c.Node(2))
		if _, err := actor.Ask(t.Context(), frozen, Where{}); err != nil {
			t.Fatal(err)
		}
		c.Network.Host("node-0").Freeze()
		defer c.Network.Host("node-0").Thaw()
		big := make([]byte, 1<<20)
		for range 50 { // more than the link holds
			go func() { _, _ = actor.Ask(within(t, 30*time.Second), frozen, Echo{Text: big}) }()
		}
		for range 200 {
			began := time.Now()
			if _, err := actor.Ask(t.Context(), alive, Where{}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 0 {
				t.Fatalf("it took %v", took)
			}
			<-time.After(100 * time.Millisecond)
		}
	})
}

func TestARestartedNodeIsUsedAgain(t *testing.T) {
	for what, restart := range map[string]func(*clustertest.Cluster) *cluster.Node{
		"at once":   func(c *clustertest.Cluster) *cluster.Node { return c.Restart(0) },
		"elsewhere": func(c *clustertest.Cluster) *cluster.Node { return c.RestartElsewhere(0) },
		"after it was given up": func(c *clustertest.Cluster) *cluster.Node {
			c.AwaitMembers(2)
			return c.Restart(0)
		},
		"elsewhere after it was given up": func(c *clustertest.Cluster) *cluster.Node {
			c.AwaitMembers(2)
			return c.RestartElsewhere(0)
		},
	} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Node(0))
				service := workers(c.Node(1))
				old := b.spawn(t, c.Node(0), c.Node(1))
				anyRun, err := actor.Resolve[Worker](c.Node(1).System(), "actor://node-0/spawned")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := actor.Ask(t.Context(), service, Where{}); err != nil {
					t.Fatal(err)
				}
				c.Crash(0)
				_, err = actor.Ask(within(t, time.Second), service, Where{})
				wantCode(t, "Ask of a crashed node", err, actor.Unavailable)

				n := restart(c)
				began := time.Now()
				b.serve(t, c, n)
				// The new process may be known before what it serves.
				patient := cluster.Service[Worker](c.Node(1), "worker", cluster.WaitForInstance())
				if got, err := actor.Ask(within(t, time.Minute), patient, Where{}); got != "node-0" || err != nil {
					t.Errorf("Ask = %q, %v", got, err)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("the node was used again after %v", took)
				}
				_, err = actor.Ask(within(t, time.Minute), old, Where{})
				wantCode(t, "Ask of an actor of the former process", err, actor.NotFound)
				b.spawn(t, n, c.Node(1))
				if got, err := actor.Ask(within(t, time.Minute), anyRun, Where{}); got != "node-0" || err != nil {
					t.Errorf("Ask by path = %q, %v", got, err)
				}
				c.AwaitMembers(3)
				for _, m := range c.Node(2).Members() {
					if m.Name == "node-0" && m.Address != n.Address() {
						t.Errorf("node-0 is at %s, and seen at %s", n.Address(), m.Address)
					}
				}
			})
		})
	}
}
