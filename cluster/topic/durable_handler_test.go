package topic

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestARetryWaitsAndIsMarked(t *testing.T) {
	playDurable(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		var times []time.Time
		j.subscribeWith(t, c.Node(0), "billing", func(e Event[Placed]) error {
			times = append(times, time.Now())
			switch e.Attempt {
			case 1:
				return RetryAfter(10*time.Second, errors.New("not yet"))
			case 2:
				return errors.New("and not now")
			}
			return nil
		})
		put(t, durable(c.Node(0)), Placed{}, Key("ada"))
		<-time.After(time.Minute)
		if len(times) != 3 {
			t.Fatalf("%d attempts, want 3", len(times))
		}
		if d := times[1].Sub(times[0]); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("the second attempt was %v after the first", d)
		}
		if d := times[2].Sub(times[1]); d < 200*time.Millisecond || d > time.Second {
			t.Errorf("the third attempt was %v after the second", d)
		}
		if n := j.judge(t); n != 2 {
			t.Errorf("%d redeliveries, want 2", n)
		}
	})
}

func TestPoisonEndsAmongTheDeadLettersAndOthersGoOn(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		s := j.subscribeWith(t, c.Node(1), "billing", func(e Event[Placed]) error {
			switch e.Value.From {
			case "poison":
				return errPoison
			case "bomb":
				panic("boom")
			}
			return nil
		}, MaxAttempts(3))
		orders := durable(c.Node(0))
		put(t, orders, Placed{"poison", 0}, Key("ada"))
		put(t, orders, Placed{"bomb", 1}, Key("ben"))
		for i := range 10 {
			put(t, orders, Placed{"good", i}, Key([]string{"ada", "ben", "cleo"}[i%3]))
		}
		// Of another type, to the same topic.
		other := Of[Cancelled](c.Node(0), "orders", Durable(), Partitions(4))
		if err := other.Publish(t.Context(), Cancelled{"no"}, Key("ada")); err != nil {
			t.Fatal(err)
		}
		// Of this type, and damaged.
		stream, err := orders.source.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		damaged := stored{ID: "damaged", Type: typeName[Placed](), ContentType: "application/msgpack", Payload: []byte{0xc1}}
		if err := stream.outboxes[0].publish(t.Context(), damaged); err != nil {
			t.Fatal(err)
		}
		letters := deadLetters(t, c.Node(0))
		settle()
		settle()
		if got := s.Stats(); got.Handled != 16 || got.Failed != 6 || got.Undecodable != 2 {
			t.Errorf("%+v", got)
		}
		if len(letters) != 4 {
			t.Fatalf("%d dead letters, want 4", len(letters))
		}
		for range 4 {
			d := (<-letters).Value
			var want string
			attempts := 3
			switch {
			case strings.HasSuffix(d.Type, "Cancelled"):
				want, attempts = "and not a topic.Placed", 1
				if e, err := other.Decode(d); err != nil || e.Reason != "no" {
					t.Errorf("%+v, %v", e, err)
				}
			case d.ID == "damaged":
				want, attempts = "cannot be decoded", 1
			case d.Key == "ada":
				want = "poison"
			case d.Key == "ben":
				want = "boom"
			}
			if !strings.Contains(d.Error, want) || d.Attempts != attempts || d.Group != "billing" || d.Topic != "orders" || d.Offset == 0 {
				t.Errorf("%+v", d)
			}
		}
		if g := inspectGroup(t, orders, "billing"); g.DeadLetters != 4 || g.Lag != 0 {
			t.Errorf("%+v", g)
		}
		j.judge(t)
	})
}

func TestAHandlerThatHangsGivesItsEventsToOthers(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		gate := make(chan struct{})
		orders := durable(c.Node(0))
		j.subscribeWith(t, c.Node(0), "billing", func(Event[Placed]) error {
			<-gate
			return nil
		}, AckDeadline(time.Second))
		for i := range 20 {
			j.put(t, orders, Placed{N: i}, keyOf(i))
		}
		settle()
		if len(j.all) != 1 {
			t.Fatalf("%d events were handled, want one that hangs", len(j.all))
		}
		j.subscribe(t, c.Node(1), "billing")
		settle()
		settle()
		handled := map[Placed]bool{}
		for _, h := range j.all {
			if h.node == "node-1" {
				handled[h.event.Value] = true
			}
		}
		if len(handled) != 20 {
			t.Errorf("the other member got %d events, want all 20", len(handled))
		}
		close(gate)
		for i := range 20 {
			j.put(t, orders, Placed{N: 100 + i}, keyOf(i))
		}
		j.await(t, "billing")
		settle()
		j.judge(t)
		if g := inspectGroup(t, orders, "billing"); g.Lag != 0 || g.Members != 2 || g.DeadLetters != 0 {
			t.Errorf("%+v", g)
		}
	})
}

func TestStopGivesWhatWaitsToOthers(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		gate := make(chan struct{})
		orders := durable(c.Node(0))
		s := j.subscribeWith(t, c.Node(0), "billing", func(Event[Placed]) error {
			<-gate
			return nil
		})
		for i := range 20 {
			j.put(t, orders, Placed{N: i}, keyOf(i))
		}
		settle()
		var stopping sync.WaitGroup
		for range 3 {
			stopping.Go(func() {
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		stopping.Wait()
		if got := s.Stats(); got != (Stats{Handled: 1}) {
			t.Errorf("%+v", got)
		}
		j.subscribe(t, c.Node(1), "billing")
		j.await(t, "billing")
		settle()
		if j.judge(t); len(j.all) != 20 {
			t.Errorf("%d handlings, want 20: what was handled was acknowledged, and nothing else", len(j.all))
		}
	})
}

func TestTheContextOfAHandlerEndsWhenItsEventIsGivenToOthers(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		ended := make(chan time.Duration, 1)
		handle := func(ctx context.Context, e Event[Placed]) error {
			if e.Attempt == 1 {
				began := time.Now()
				<-ctx.Done()
				ended <- time.Since(began)
			}
			return nil
		}
		put(t, durable(c.Node(0)), Placed{N: 1})
		if _, err := durable(c.Node(1)).Subscribe(t.Context(), handle, Group("billing"), From(End()), AckDeadline(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		settle()
		away := slices.Index(owners(t, c.Node(1)), "node-0")
		if away < 0 {
			t.Fatal("the other node owns nothing")
		}
		i := 0
		for partitionOf(keyOf(i), "", 4) != away {
			i++
		}
		put(t, durable(c.Node(0)), Placed{N: 2}, Key(keyOf(i)))
		synctest.Wait()
		if err := c.Node(0).Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if d := <-ended; d > 10*time.Second {
			t.Errorf("it ended after %v, long after the owner of its partition had left", d)
		}
	})
}
