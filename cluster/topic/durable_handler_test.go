package topic

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
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
		letters := deadLetters(t, c.Node(0))
		settle()
		settle()
		if got := s.Stats(); got.Handled != 16 || got.Failed != 6 || got.Undecodable != 1 {
			t.Errorf("%+v", got)
		}
		if len(letters) != 3 {
			t.Fatalf("%d dead letters, want 3", len(letters))
		}
		for range 3 {
			d := (<-letters).Value
			var want string
			attempts := 3
			switch {
			case strings.HasSuffix(d.Type, "Cancelled"):
				want, attempts = "and not a topic.Placed", 1
				if e, err := other.Decode(d); err != nil || e.Reason != "no" {
					t.Errorf("%+v, %v", e, err)
				}
			case d.Key == "ada":
				want = "poison"
			case d.Key == "ben":
				want = "boom"
			}
			if !strings.Contains(d.Error, want) || d.Attempts != attempts || d.Group != "billing" || d.Topic != "orders" || d.Offset == 0 {
				t.Errorf("%+v", d)
			}
		}
		if g := inspectGroup(t, orders, "billing"); g.DeadLetters != 3 || g.Lag != 0 {
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

func TestAnEventTooLargeForALinkIsADeadLetter(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		// The owner leads the store, too, so that it can store what is too large for others.
		var at, away *Topic[Placed]
		for i, owner := 0, -1; owner < 0 || c.Node(owner).Name() != c.Node(0).Store().Leader(); i++ {
			name := fmt.Sprint("large-", i)
			for k := range 2 {
				put(t, Of[Placed](c.Node(k), name, Durable()), Placed{"small", k})
			}
			settle()
			info, err := Of[Placed](c.Node(0), name, Durable()).Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			owner = indexOf(t, c, info.Partitions[0].Node)
			at, away = Of[Placed](c.Node(owner), name, Durable()), Of[Placed](c.Node(1-owner), name, Durable())
		}
		for i := range 5 {
			put(t, at, Placed{strings.Repeat("large", 20_000), i}, Key("ada"))
			put(t, at, Placed{"small", 2 + i}, Key("ada"))
		}
		r := new(recorder)
		if _, err := away.Subscribe(t.Context(), r.handle, Group("billing")); err != nil {
			t.Fatal(err)
		}
		settle()
		r.want(t, "the group", 7)
		if g := inspectGroup(t, at, "billing"); g.DeadLetters != 5 || g.Lag != 0 {
			t.Errorf("%+v", g)
		}
	}, cluster.WithMaxMessage(64<<10))
}

func TestAnActorSubscribesToADurableTopicWhenItStarts(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		orders := durable(c.Node(1))
		owners(t, c.Node(0)) // so that both use it, and no partition moves later
		owners(t, c.Node(1))
		settle()
		handled := make(chan Event[Placed], 100)
		to, err := actor.Spawn(c.Node(1).System(), actor.Define("clerk", func() *clerk { return &clerk{orders, handled} }, actor.OnCall((*clerk).placed)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			put(t, durable(c.Node(0)), Placed{N: i}, Key("ada"))
		}
		for i := range 10 {
			e := <-handled
			if e.Value.N != i || e.Key != "ada" || e.Offset != uint64(i+1) || e.Attempt != 1 || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
		}
		if err := c.Node(1).System().StopActor(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		settle()
		if g := inspectGroup(t, orders, "clerks"); g.Members != 0 || g.Lag != 0 {
			t.Errorf("after the actor has ended: %+v", g)
		}
	})
}

// Clerk is the protocol of an actor that subscribes by itself.
type Clerk struct{}

type clerk struct {
	orders  *Topic[Placed]
	handled chan Event[Placed]
}

func (a *clerk) Started(ctx *actor.Context) error {
	_, err := SubscribeActor(ctx, a.orders, actor.Self[Clerk](ctx), Group("clerks"))
	return err
}

func (a *clerk) placed(_ *actor.Context, m Message[Clerk, Placed]) (Ack, error) {
	a.handled <- m.Event
	return Ack{}, nil
}
