package topic

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestEverySubscriberGetsEveryEventInOrder(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		const count = 1000
		var all []*recorder
		for i := range 3 {
			for _, name := range []string{"orders.eu", "orders.eu", "orders.*", ">"} {
				r, _ := subscribe(t, c.Node(i), name)
				all = append(all, r)
			}
		}
		other, _ := subscribe(t, c.Node(1), "orders.us")
		await(t, nodes(c, 3), "orders.eu", "node-0", "node-1", "node-2")
		publish(t, c.Node(0), "orders.eu", count)
		settle()
		for i, r := range all {
			r.want(t, fmt.Sprintf("subscriber %d", i), count)
			if e := r.all()[0]; e.Topic != "orders.eu" || e.Node != "node-0" || e.Value.From != "node-0" {
				t.Errorf("subscriber %d got %+v", i, e)
			}
		}
		other.want(t, "the subscriber of another topic", 0)
	})
}

func TestATopicMayBeUsedConcurrently(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		const publishers, each = 8, 200
		here, _ := subscribe(t, c.Node(0), "orders")
		there, _ := subscribe(t, c.Node(1), "orders", Group("g"))
		await(t, nodes(c, 1), "orders", "node-0", "node-1")
		orders := Of[Placed](c.Node(0), "orders")
		var publishing sync.WaitGroup
		for p := range publishers {
			publishing.Go(func() {
				for i := range each {
					if err := orders.Publish(t.Context(), Placed{fmt.Sprint(p), i}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		publishing.Wait()
		settle()
		for _, r := range []*recorder{here, there} {
			next := map[string]int{}
			for _, e := range r.all() {
				if e.Value.N != next[e.Value.From] {
					t.Fatalf("event %d of publisher %s came when %d was due", e.Value.N, e.Value.From, next[e.Value.From])
				}
				next[e.Value.From]++
			}
			if got := len(r.all()); got != publishers*each {
				t.Errorf("%d events", got)
			}
		}
	})
}

func TestAnEventGoesOnlyToNodesThatWantIt(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		orders := Of[Placed](c.Node(0), "orders")
		if all := orders.Interested(); len(all) > 0 {
			t.Errorf("%v want an event of nobody", all)
		}
		publish(t, c.Node(0), "orders", 1)
		_, s := subscribe(t, c.Node(1), "orders")
		await(t, nodes(c, 3), "orders", "node-1")
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		await(t, nodes(c, 3), "orders")
		if all := Of[Placed](c.Node(0), "orders.*").Interested(); all != nil {
			t.Errorf("a name with wildcards interests %v", all)
		}
	})
}

func TestANodeThatJoinsLearnsWhoIsInterested(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		r, _ := subscribe(t, c.Node(0), "orders")
		n := c.Start("node-2")
		await(t, []*cluster.Node{n}, "orders", "node-0")
		publish(t, n, "orders", 10)
		settle()
		r.want(t, "the subscriber", 10)
	})
}

// One message goes to a node, whatever is wanted there.
func TestAnEventIsSentOnceToANode(t *testing.T) {
	r := newRoute([]*entry{
		{node: "b"}, {node: "b"},
		{node: "b", group: "g", members: 3}, {node: "b", group: "h", members: 1}, {node: "c", group: "h", members: 1},
	})
	p := &plan{route: r, kind: "T", toGroup: []string{"!g@T", "!h@T"}, toBothOne: []string{"@g@T", "@h@T"}}
	for _, c := range []struct {
		node  int
		picks []int
		want  string
	}{
		{0, []int{0, 0}, "@g,h@T"},
		{0, []int{0, 1}, "@g@T"},
		{0, []int{1, 1}, "T"},
		{1, []int{0, 1}, "!h@T"},
		{1, []int{1, 1}, "!g,h@T"},
		{1, []int{0, 0}, ""},
	} {
		if got := p.address(c.node, c.picks); got != c.want {
			t.Errorf("node %d with %v: %q, want %q", c.node, c.picks, got, c.want)
		}
	}
}

func TestPointersAndBareTypesTravel(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		got := make(chan string, 10)
		_, err := Of[*Placed](c.Node(1), "pointers").Subscribe(t.Context(), func(_ context.Context, e Event[*Placed]) error {
			got <- fmt.Sprint(*e.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Of[[]byte](c.Node(1), "bytes").Subscribe(t.Context(), func(_ context.Context, e Event[[]byte]) error {
			got <- string(e.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, nodes(c, 1), "bytes", "node-1")
		if err := Of[*Placed](c.Node(0), "pointers").Publish(t.Context(), &Placed{"a", 7}); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "{a 7}" {
			t.Errorf("got %s", s)
		}
		if err := Of[[]byte](c.Node(0), "bytes").Publish(t.Context(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "hello" {
			t.Errorf("got %s", s)
		}
		wantCode(t, "nil", Of[*Placed](c.Node(0), "pointers").Publish(t.Context(), nil), actor.InvalidArgument)
	})
}

func TestAnEventAndItsPointerAreOneEvent(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		got := make(chan string, 10)
		for _, n := range c.Nodes() {
			_, err := Of[*Placed](n, "forms").Subscribe(t.Context(), func(_ context.Context, e Event[*Placed]) error {
				got <- fmt.Sprint(*e.Value)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Of[Placed](n, "forms").Subscribe(t.Context(), func(_ context.Context, e Event[Placed]) error {
				got <- fmt.Sprint(e.Value)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		await(t, nodes(c, 2), "forms", "node-0", "node-1")
		for _, publish := range []func() error{
			func() error { return Of[*Placed](c.Node(0), "forms").Publish(t.Context(), &Placed{"a", 7}) },
			func() error { return Of[Placed](c.Node(0), "forms").Publish(t.Context(), Placed{"a", 7}) },
		} {
			if err := publish(); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				if s := <-got; s != "{a 7}" {
					t.Errorf("got %s", s)
				}
			}
		}
	})
}

func TestAnEventKeepsItsValueWhenOthersFollow(t *testing.T) {
	type basket struct {
		Items  []string
		Counts map[string]int
		Raw    []byte
		Next   *Placed
	}
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		const events = 100
		made := func(i int) basket {
			b := basket{Counts: map[string]int{fmt.Sprint(i): i}, Raw: []byte(fmt.Sprint("raw ", i)), Next: &Placed{fmt.Sprint(i), i}}
			for range i % 5 {
				b.Items = append(b.Items, fmt.Sprint("item ", i))
			}
			return b
		}
		got := make(chan basket, events)
		_, err := Of[basket](c.Node(1), "baskets").Subscribe(t.Context(), func(_ context.Context, e Event[basket]) error {
			got <- e.Value
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, nodes(c, 1), "baskets", "node-1")
		for i := range events {
			if err := Of[basket](c.Node(0), "baskets").Publish(t.Context(), made(i)); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		for i := range events {
			if b := <-got; !reflect.DeepEqual(b, made(i)) {
				t.Fatalf("event %d is %+v, want %+v", i, b, made(i))
			}
		}
	})
}

func TestMistakesAreReported(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n, ctx := c.Node(0), t.Context()
		handle := func(context.Context, Event[Placed]) error { return nil }
		over, cancel := context.WithCancel(ctx)
		cancel()
		subscribed := func(name string, options ...SubscribeOption) error {
			_, err := Of[Placed](n, name).Subscribe(ctx, handle, options...)
			return err
		}
		_, noHandler := Of[Placed](n, "a").Subscribe(ctx, nil)
		_, tooLate := Of[Placed](n, "a").Subscribe(over, handle)
		_, anyType := Of[any](n, "a").Subscribe(ctx, func(context.Context, Event[any]) error { return nil })
		_, noActor := SubscribeActor(ctx, Of[Placed](n, "a"), actor.Ref[struct{}]{})
		for what, c := range map[string]struct {
			err  error
			code actor.Code
		}{
			"a bad name":              {subscribed("a..b"), actor.InvalidArgument},
			"a bad group":             {subscribed("a", Group("")), actor.InvalidArgument},
			"no buffer":               {subscribed("a", Buffer(0)), actor.InvalidArgument},
			"no handler":              {noHandler, actor.InvalidArgument},
			"no actor":                {noActor, actor.InvalidArgument},
			"an interface":            {anyType, actor.InvalidArgument},
			"a subscription too late": {tooLate, actor.Canceled},
			"publishing too late":     {Of[Placed](n, "a").Publish(over, Placed{}), actor.Canceled},
			"publishing to a bad one": {Of[Placed](n, "").Publish(ctx, Placed{}), actor.InvalidArgument},
			"publishing to many":      {Of[Placed](n, "a.*").Publish(ctx, Placed{}), actor.InvalidArgument},
		} {
			wantCode(t, what, c.err, c.code)
		}
	})
}
