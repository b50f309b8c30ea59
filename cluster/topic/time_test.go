package topic

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Times and durations that are far away are that, also on their way to another node.
func TestFarTimesAreTimes(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		orders := durable(c.Node(0), Retain(Limits{Age: math.MaxInt64}))
		remote := durable(c.Node(1), Retain(Limits{Age: math.MaxInt64}))
		for i := range 20 {
			put(t, orders, Placed{N: i}, Key(keyOf(i)))
		}
		kept := func() (n uint64) {
			info, err := remote.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range info.Partitions {
				n += p.Next - p.First
			}
			return n
		}
		far := time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, at := range []time.Time{{}, time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(-1<<60, 0)} {
			if err := remote.Purge(t.Context(), AtTime(at)); err != nil || kept() != 20 {
				t.Errorf("a purge of all before the year %d leaves %d of 20 events: %v", at.Year(), kept(), err)
			}
		}
		got := new(recorder)
		subscribed := func(group string, at time.Time) {
			s, err := remote.Subscribe(t.Context(), got.handle, Group(group), From(AtTime(at)))
			if err != nil {
				t.Fatal(err)
			}
			settle()
			_ = s.Stop(t.Context())
		}
		for _, at := range []time.Time{far, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)} {
			subscribed("future", at)
			if n := len(got.all()); n != 0 {
				t.Fatalf("%d events of the year %d and later", n, at.Year())
			}
			if err := remote.DeleteGroup(t.Context(), "future"); err != nil {
				t.Fatal(err)
			}
		}
		subscribed("past", time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC))
		if n := len(got.all()); n != 20 {
			t.Fatalf("%d of 20 events since 1600", n)
		}
		if err := remote.Purge(t.Context(), AtTime(far)); err != nil || kept() != 0 {
			t.Errorf("a purge of all before the year 2300 leaves %d events: %v", kept(), err)
		}
	})
}

// The longest durations are long, and no others.
func TestTheLongestDurationsAreLong(t *testing.T) {
	playDurable(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		orders := durable(c.Node(0))
		handled := make(chan int, 100)
		s, err := orders.Subscribe(t.Context(), func(ctx context.Context, e Event[Placed]) error {
			handled <- e.Attempt
			select {
			case <-ctx.Done():
				t.Error("the context of the handler has ended")
			case <-time.After(time.Minute):
			}
			return RetryAfter(math.MaxInt64, nil)
		}, Group("billing"), AckDeadline(math.MaxInt64), MaxAttempts(math.MaxInt))
		if err != nil {
			t.Fatal(err)
		}
		put(t, orders, Placed{})
		<-time.After(5 * time.Minute)
		if n := len(handled); n != 1 {
			t.Errorf("the event was handled %d times", n)
		}
		g := inspectGroup(t, orders, "billing")
		if g.Lag != 1 || g.Retrying != 1 || g.NextRetry.Before(time.Now().Add(200*365*24*time.Hour)) {
			t.Errorf("%+v", g)
		}
		_ = s.Stop(t.Context())
	})
}
