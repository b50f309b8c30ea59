package topic

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Large events that are to be tried again in an hour hold up no other key, and Inspect says
// what the group waits for.
func TestWhatWaitsForARetryHoldsNobodyUpAndInspectSaysSo(t *testing.T) {
	playDurable(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		type blob struct{ Data []byte }
		blobs := Of[blob](c.Node(0), "blobs", Durable())
		quick := make(chan string, 20)
		s, err := blobs.Subscribe(t.Context(), func(_ context.Context, e Event[blob]) error {
			if strings.HasPrefix(e.Key, "quick") {
				quick <- e.Key
				return nil
			}
			return RetryAfter(time.Hour, errPoison)
		}, Group("billing"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			if err := blobs.Publish(t.Context(), blob{make([]byte, 100<<10)}, Key("slow-"+keyOf(i))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			if err := blobs.Publish(t.Context(), blob{}, Key("quick-"+keyOf(i))); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if len(quick) != 20 {
			t.Errorf("%d of 20 events of other keys were handled", len(quick))
		}
		info, err := blobs.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g := info.Groups[0]
		if g.Lag != 60 || g.Retrying != 60 || g.NextRetry.Before(time.Now().Add(59*time.Minute)) || !strings.Contains(g.Why, g.NextRetry.Format(time.RFC3339)) {
			t.Errorf("%+v", g)
		}
		_ = s.Stop(t.Context())
		settle()
		info, err = blobs.Inspect(t.Context())
		if err != nil || !strings.Contains(info.Groups[0].Why, "nobody has subscribed") {
			t.Errorf("%+v, %v", info.Groups, err)
		}
	})
}

// Inspect says which owners are not known, and what the others have said.
func TestInspectSaysWhichOwnersAreNotKnown(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		for i := range 3 {
			put(t, durable(c.Node(i)), Placed{})
		}
		settle()
		c.Crash(1)
		c.Crash(2)
		<-time.After(20 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		info, err := durable(c.Node(0)).Inspect(ctx)
		if actor.CodeOf(err) != actor.DeadlineExceeded || len(info.Partitions) != 4 {
			t.Fatalf("%+v, %v: want four partitions and DeadlineExceeded", info, err)
		}
		unknown := 0
		for i, p := range info.Partitions {
			if p.Partition != i {
				t.Errorf("partition %d says that it is %d", i, p.Partition)
			}
			if p.Err != "" {
				unknown++
			}
		}
		if unknown == 0 {
			t.Errorf("%+v: no partition says that its owner is not known", info)
		}
	})
}
