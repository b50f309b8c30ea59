package topic

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// hang subscribes with a handler that waits for the gate.
func hang(t testing.TB, n *cluster.Node, name string, gate <-chan struct{}, options ...SubscribeOption) (*recorder, *Subscription) {
	t.Helper()
	r := new(recorder)
	s, err := Of[Placed](n, name).Subscribe(t.Context(), func(ctx context.Context, e Event[Placed]) error {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return r.handle(ctx, e)
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func publishOne(t testing.TB, n *cluster.Node, name string, i int) {
	t.Helper()
	if err := Of[Placed](n, name).Publish(t.Context(), Placed{n.Name(), i}); err != nil {
		t.Fatal(err)
	}
}

func TestASlowSubscriberLosesItsOwnEventsOnly(t *testing.T) {
	var dead letters
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		const count, buffer = 1000, 10
		gate := make(chan struct{})
		var slow []*recorder
		var stats []*Subscription
		var fast []*recorder
		for i := range 2 {
			r, s := hang(t, c.Node(i), "orders", gate, Buffer(buffer))
			slow, stats = append(slow, r), append(stats, s)
			f, _ := subscribe(t, c.Node(i), "orders")
			fast = append(fast, f)
		}
		await(t, nodes(c, 2), "orders", "node-0", "node-1")
		publishOne(t, c.Node(0), "orders", 0)
		settle() // the handlers have got it
		orders := Of[Placed](c.Node(0), "orders")
		for i := 1; i < count; i++ {
			if err := orders.Publish(t.Context(), Placed{N: i}); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		for i, s := range stats {
			fast[i].want(t, "the other subscriber", count)
			if got, want := s.Stats(), (Stats{Dropped: count - 1 - buffer, Waiting: buffer}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		if got := dead.count.Load(); got != 2 {
			t.Errorf("%d dead letters, want one for each slow subscriber", got)
		}
		close(gate)
		settle()
		publishOne(t, c.Node(0), "orders", 1000)
		settle()
		for i, r := range slow {
			if got := r.numbers(); len(got) != buffer+2 || got[buffer+1] != 1000 {
				t.Errorf("the slow subscriber on node %d got %v", i, got)
			}
			if got, want := stats[i].Stats(), (Stats{Handled: buffer + 2, Dropped: count - 1 - buffer}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	}, dead.option())
}

// What a subscriber costs whoever publishes does not depend on whether it reads.
func TestASubscriberThatStoppedReadingIsFree(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		gate := make(chan struct{})
		defer close(gate)
		_, s := hang(t, n, "orders", gate, Buffer(1))
		publishOne(t, n, "orders", 0)
		synctest.Wait()
		publishOne(t, n, "orders", 1)
		publishOne(t, n, "orders", 2)
		orders := Of[Placed](n, "orders")
		allocs := testing.AllocsPerRun(100, func() { _ = orders.Publish(t.Context(), Placed{}) })
		if dropped := s.Stats().Dropped; allocs > 1 || dropped < 100 {
			t.Errorf("%v allocations for each of %d dropped events", allocs, dropped)
		}
	})
}

func synctestNode(t *testing.T, test func(t *testing.T, n *cluster.Node)) {
	t.Helper()
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) { test(t, c.Node(0)) })
}

func TestAFullLinkIsToldToThePublisher(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		type blob struct{ Data []byte }
		got := make(chan int, 100)
		for i := 1; i < 3; i++ {
			_, err := Of[blob](c.Node(i), "blobs").Subscribe(t.Context(), func(context.Context, Event[blob]) error {
				got <- i
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		blobs := Of[blob](c.Node(0), "blobs")
		await(t, nodes(c, 1), "blobs", "node-1", "node-2")
		// The link must be up: what cannot be reached is no error.
		if err := blobs.Publish(t.Context(), blob{}); err != nil {
			t.Fatal(err)
		}
		settle()
		c.Network.Cut("node-0", "node-2")
		var full error
		sent := 1
		for ; full == nil && sent < 100; sent++ {
			full = blobs.Publish(t.Context(), blob{make([]byte, 1<<20)})
			synctest.Wait()
		}
		wantCode(t, "the link is full", full, actor.ResourceExhausted)
		if full == nil || !strings.Contains(full.Error(), `"node-2" misses`) || actor.AsError(full).NotRun {
			t.Errorf("it does not say who misses the event: %v", full)
		}
		counts := map[int]int{}
		for len(got) > 0 {
			counts[<-got]++
		}
		if counts[1] != sent || counts[2] != 1 {
			t.Errorf("of %d events the nodes got %v", sent, counts)
		}
		wantCode(t, "too large", blobs.Publish(t.Context(), blob{make([]byte, 5<<20)}), actor.InvalidArgument)
		c.Network.Heal()
	})
}
