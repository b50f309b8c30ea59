package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// A call that comes back to an actor which waits for it fails at once, whatever nodes it
// has come through.

func wantCircle(t *testing.T, what string, err error, actors ...actor.Ref[Worker]) {
	t.Helper()
	e := actor.AsError(err)
	if e == nil || e.Code != actor.FailedPrecondition || e.NotRun {
		t.Errorf("%s: %v, want FailedPrecondition", what, err)
		return
	}
	var route []string
	for _, a := range actors {
		route = append(route, a.String())
	}
	if want := strings.Join(route, " -> "); !strings.Contains(e.Message, want) {
		t.Errorf("%s: %s is not in %q", what, want, e.Message)
	}
}

func TestACallThatComesBackThroughNodesFailsAtOnce(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		w := newBench()
		var all [3][3]actor.Ref[Worker] // by node
		for i := range 3 {
			for j := range 3 {
				all[i][j] = w.spawn(t, c.Node(i), c.Node(0), actor.WithName(fmt.Sprint("spawned-", j)))
			}
		}
		began := time.Now()
		for i := range 27 {
			a, b, d := all[i%3][0], all[i/3%3][1], all[i/9][2]
			_, err := actor.Ask(context.Background(), a, Ring{To: []actor.Ref[Worker]{b, a}})
			wantCircle(t, "two", err, a, b, a)
			_, err = actor.Ask(context.Background(), a, Ring{To: []actor.Ref[Worker]{b, d, a}})
			wantCircle(t, "three", err, a, b, d, a)
			_, err = actor.Ask(context.Background(), a, Ring{To: []actor.Ref[Worker]{b, d, b}})
			wantCircle(t, "three, to the second", err, a, b, d, b)
			if got, err := actor.Ask(within(t, time.Minute), a, Ring{To: []actor.Ref[Worker]{b, d}}); len(got) != 3 || err != nil {
				t.Error("no circle:", got, err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Error("it took", took)
		}
	})
}

// aside has the handlers of a worker that does not wait for what it asks.
func aside(name string) actor.Definition[Worker] {
	return actor.Define(name, func() string { return name }, actor.OnCall(func(_ string, ctx *actor.Context, m Ring) ([]string, error) {
		if len(m.To) == 0 {
			return []string{"back"}, nil
		}
		reply, later := actor.ReplyLater[[]string](ctx)
		ask := func(ctx context.Context) { reply.Send(actor.Ask(ctx, m.To[0], Ring{To: m.To[1:]})) }
		if name == "piped" {
			actor.Pipe(ctx, func(ctx context.Context) Note { ask(ctx); return Note{} })
		} else {
			go ask(ctx)
		}
		return nil, later
	}), actor.OnCast(func(string, *actor.Context, Note) error { return nil }))
}

func TestACallThatNobodyWaitsForComesBackThroughNodes(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		for _, name := range []string{"piped", "late"} {
			for i := range 4 {
				made, err := actor.Spawn(c.Node(i%2).System(), aside(name), actor.WithUniqueName())
				if err != nil {
					t.Fatal(err)
				}
				a, other := refFor(t, c.Node(0), made), b.spawn(t, c.Node(i/2), c.Node(0), actor.WithUniqueName())
				for range 20 {
					got, err := actor.Ask(within(t, time.Minute), a, Ring{To: []actor.Ref[Worker]{other, a}})
					if len(got) != 2 || err != nil {
						t.Error(name, got, err)
					}
				}
				// One that waits in between is noticed.
				if name == "late" {
					_, err = actor.Ask(within(t, time.Minute), other, Ring{To: []actor.Ref[Worker]{a, other}})
					wantCircle(t, name, err, other, a, other)
				}
			}
		}
	})
}

func TestAServiceThatIsCalledBackUsesAnotherInstance(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		other := b.spawn(t, c.Node(2), c.Node(0))
		for i := range 2 {
			first, err := actor.Resolve[Worker](c.Node(0).System(), fmt.Sprint("actor://node-", i, "/worker"))
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				got, err := actor.Ask(within(t, time.Minute), first, Ring{To: []actor.Ref[Worker]{other, workers(c.Node(0))}})
				if want := []string{fmt.Sprint("node-", i), "node-2", fmt.Sprint("node-", 1-i)}; !slices.Equal(got, want) || err != nil {
					t.Errorf("%v, %v, want %v", got, err, want)
				}
			}
			_, err = actor.Ask(within(t, time.Minute), first, Ring{To: []actor.Ref[Worker]{workers(c.Node(0)), workers(c.Node(0))}})
			wantCode(t, "all instances wait", err, actor.FailedPrecondition)
		}
	})
}

func TestAChainOfManyNodesHasAnEnd(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		var all []actor.Ref[Worker]
		for i := range 66 {
			all = append(all, b.spawn(t, c.Node(i%2), c.Node(0), actor.WithName(strings.Repeat("x", 100)+fmt.Sprint(i))))
		}
		if got, err := actor.Ask(within(t, time.Minute), all[0], Ring{To: all[1:65]}); len(got) != 65 || err != nil {
			t.Error(len(got), err)
		}
		_, err := actor.Ask(within(t, time.Minute), all[0], Ring{To: all[1:66]})
		wantCode(t, "65 ask", err, actor.FailedPrecondition)
		if !strings.Contains(fmt.Sprint(err), "more than 64 actors") {
			t.Error(err)
		}
	})
}

// TestANodeOfBeforeGetsNoChain: it would not know what that is.
func TestANodeOfBeforeGetsNoChain(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		w := newBench()
		a, b := w.spawn(t, c.Node(0), c.Node(0)), w.spawn(t, c.Node(1), c.Node(0))
		cluster.TakeForOne(c.Node(1), "node-0")
		_, err := actor.Ask(within(t, time.Second), a, Ring{To: []actor.Ref[Worker]{b, a}})
		wantCode(t, "a circle through it", err, actor.DeadlineExceeded)
	})
}
