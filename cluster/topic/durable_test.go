package topic

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestEveryDurableGroupGetsEveryEventInOrder(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 3 {
			j.subscribe(t, c.Node(i), "billing")
		}
		j.subscribe(t, c.Node(0), "audit")
		settle() // partitions move to the nodes that came
		var publishing sync.WaitGroup
		for i := range 3 {
			publishing.Go(func() {
				orders := durable(c.Node(i))
				for n := range 60 {
					j.put(t, orders, Placed{c.Node(i).Name(), n}, keyOf(n%7))
				}
			})
		}
		publishing.Wait()
		j.subscribe(t, c.Node(2), "late")
		j.await(t, "billing", "audit", "late")
		settle()
		if redelivered := j.judge(t); redelivered > 0 || len(j.all) != 3*180 {
			t.Errorf("%d handlings, %d of them again; want each event once in each group", len(j.all), redelivered)
		}
		share := map[string]int{}
		for _, h := range j.all {
			if h.group == "billing" {
				share[h.node]++
			}
		}
		if len(share) != 3 {
			t.Errorf("the members of a group got %v", share)
		}
		if g := inspectGroup(t, durable(c.Node(1)), "billing"); g.Lag != 0 || g.Members != 3 || g.Redelivered != 0 {
			t.Errorf("%+v", g)
		}
	})
}

func TestADurablePublishIsOneEventPerID(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		j.subscribe(t, c.Node(0), "billing")
		for i := range 2 {
			for range 3 {
				put(t, durable(c.Node(i)), Placed{N: 1}, ID("order-1"))
				put(t, durable(c.Node(i)), Placed{N: 2}, ID("order-2"), Key("ada"))
			}
		}
		settle()
		if len(j.all) != 2 {
			t.Errorf("%d events, want 2: %+v", len(j.all), j.all)
		}
	})
}

func TestDurableTopicsAreUsedWithTheSameSettings(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		put(t, durable(c.Node(0)), Placed{})
		err := Of[Placed](c.Node(1), "orders", Durable()).Publish(t.Context(), Placed{})
		wantCode(t, "fewer partitions", err, actor.FailedPrecondition)
		if err == nil || !strings.Contains(err.Error(), "has 4 partitions") || !strings.Contains(err.Error(), "has 1 partitions") {
			t.Errorf("the error does not say what differs: %v", err)
		}
		_, err = durable(c.Node(0), Retain(Limits{Count: 1})).Subscribe(t.Context(), func(context.Context, Event[Placed]) error { return nil }, Group("billing"))
		wantCode(t, "other limits", err, actor.FailedPrecondition)
		all, err := List(t.Context(), c.Node(1))
		if err != nil || len(all) != 1 || all[0] != (Description{"orders", 4, Limits{Bytes: defaultBytes}}) {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestMistakesWithDurableTopicsAreRefused(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		ctx := t.Context()
		handle := func(context.Context, Event[Placed]) error { return nil }
		subscribe := func(on *Topic[Placed], options ...SubscribeOption) error {
			_, err := on.Subscribe(ctx, handle, options...)
			return err
		}
		live, group := Of[Placed](n, "orders"), Group("billing")
		_, inspecting := live.Inspect(ctx)
		_, listening := durable(n).DeadLetters().Subscribe(ctx, func(context.Context, Event[DeadLetter]) error { return nil })
		for what, err := range map[string]error{
			"no group":                      subscribe(durable(n)),
			"no group for dead letters":     listening,
			"a buffer":                      subscribe(durable(n), group, Buffer(1)),
			"a window of 0":                 subscribe(durable(n), group, Window(0)),
			"no time":                       subscribe(durable(n), group, AckDeadline(0)),
			"no attempt":                    subscribe(durable(n), group, MaxAttempts(0)),
			"a window of a live one":        subscribe(live, Window(1)),
			"wildcards":                     Of[Placed](n, "orders.*", Durable()).Publish(ctx, Placed{}),
			"no partitions":                 durable(n, Partitions(0)).Publish(ctx, Placed{}),
			"too many partitions":           durable(n, Partitions(257)).Publish(ctx, Placed{}),
			"a negative limit":              durable(n, Retain(Limits{Age: -1})).Publish(ctx, Placed{}),
			"partitions of a live one":      Of[Placed](n, "orders", Partitions(2)).Publish(ctx, Placed{}),
			"a key for a live one":          live.Publish(ctx, Placed{}, Key("ada")),
			"a key that is too long":        durable(n).Publish(ctx, Placed{}, Key(strings.Repeat("k", 1025))),
			"an event that is too large":    durable(n).Publish(ctx, Placed{From: strings.Repeat("x", 2<<20)}),
			"publishing dead letters":       durable(n).DeadLetters().Publish(ctx, DeadLetter{}),
			"inspecting a live one":         inspecting,
			"seeking in a live one":         live.Seek(ctx, "billing", Start()),
			"purging a live one":            live.Purge(ctx, End()),
			"deleting a group of live ones": live.DeleteGroup(ctx, "billing"),
		} {
			wantCode(t, what, err, actor.InvalidArgument)
		}
		wantCode(t, "seeking a group that is not there", durable(n).Seek(ctx, "billing", Start()), actor.NotFound)
		if got := durable(n).Interested(); got != nil {
			t.Errorf("%v want a durable topic by gossip", got)
		}
	})
}

func TestWhatIsNotDurableCostsNothing(t *testing.T) {
	synctestNode(t, func(t *testing.T, n *cluster.Node) {
		synctest.Wait()
		before := clustertest.Goroutines()
		durable(n)
		subscribe(t, n, "orders")
		publish(t, n, "orders", 10)
		synctest.Wait()
		if after := clustertest.Goroutines(); after > before+1 { // a runner of the handler
			t.Errorf("%d goroutines, and then %d", before, after)
		}
	})
}

func TestAFullDurableTopicRefusesUntilItsGroupsAreDone(t *testing.T) {
	playDurable(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		orders := Of[Placed](c.Node(0), "few", Durable(), Retain(Limits{Count: 3}))
		for i := range 3 {
			put(t, orders, Placed{N: i})
		}
		wantCode(t, "one too many", orders.Publish(t.Context(), Placed{N: 3}), actor.ResourceExhausted)
		r := new(recorder)
		if _, err := orders.Subscribe(t.Context(), r.handle, Group("billing")); err != nil {
			t.Fatal(err)
		}
		settle()
		for i := range 3 {
			put(t, orders, Placed{N: i + 3})
			settle()
		}
		r.want(t, "the group", 6)
	})
}

func TestADurableTopicDropsItsOldestWhereItMay(t *testing.T) {
	playDurable(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		orders := Of[Placed](c.Node(0), "few", Durable(), Retain(Limits{Count: 3, DropOldest: true}))
		for i := range 10 {
			put(t, orders, Placed{N: i})
		}
		r := new(recorder)
		if _, err := orders.Subscribe(t.Context(), r.handle, Group("billing")); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := r.numbers(); fmt.Sprint(got) != "[7 8 9]" {
			t.Errorf("%v, want the last three", got)
		}
	})
}

func TestADurableGroupBeginsAndSeeksWhereItIsTold(t *testing.T) {
	playDurable(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		orders := Of[Placed](c.Node(0), "one", Durable())
		var middle time.Time
		for i := range 10 {
			if i == 5 {
				<-time.After(time.Second)
				middle = time.Now()
			}
			put(t, orders, Placed{N: i})
		}
		for name, from := range map[string]struct {
			position Position
			first    int
		}{
			"start": {Start(), 0}, "end": {End(), 10}, "offset": {AtOffset(0, 4), 3}, "time": {AtTime(middle), 5},
			"elsewhere": {AtOffset(1, 4), 0},
		} {
			r := new(recorder)
			s, err := orders.Subscribe(t.Context(), r.handle, Group("from-"+name), From(from.position))
			if err != nil {
				t.Fatal(err)
			}
			settle()
			if got := r.numbers(); !slices.Equal(got, upTo(10)[from.first:]) {
				t.Errorf("from %s: %v, want those from %d on", name, got, from.first)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}

		r := new(recorder)
		s, err := orders.Subscribe(t.Context(), r.handle, Group("billing"))
		if err != nil {
			t.Fatal(err)
		}
		settle()
		if err := orders.Seek(t.Context(), "billing", AtOffset(0, 9)); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := r.numbers(); fmt.Sprint(got[10:]) != "[8 9]" {
			t.Errorf("after seeking: %v", got)
		}
		for _, e := range r.all() {
			if e.Attempt != 1 {
				t.Errorf("who seeks, asks for the first time: %+v", e)
			}
		}
		wantCode(t, "deleting a group with a member", orders.DeleteGroup(t.Context(), "billing"), actor.FailedPrecondition)
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := orders.DeleteGroup(t.Context(), "billing"); err != nil {
				t.Error(err)
			}
		}
		if err := orders.Purge(t.Context(), AtOffset(0, 8)); err != nil {
			t.Fatal(err)
		}
		info, err := orders.Inspect(t.Context())
		if err != nil || info.Partitions[0].First != 8 || info.Partitions[0].Next != 11 || len(info.Groups) != 5 {
			t.Errorf("%+v, %v", info, err)
		}
	})
}
