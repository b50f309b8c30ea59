package topic

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Billing is the protocol of actors that subscribe.
type Billing struct{}

// Crash ends the incarnation that handles it.
type Crash struct{ actor.Cast[Billing] }

// Quit ends the actor.
type Quit struct{ actor.Cast[Billing] }

type billing struct {
	recorder   *recorder
	orders     *Topic[Placed] // subscribed to when it starts, if there is one
	subscribed chan *Subscription
}

func (b *billing) Started(ctx *actor.Context) error {
	if b.orders == nil {
		return nil
	}
	s, err := SubscribeActor(ctx, b.orders, actor.Self[Billing](ctx))
	b.subscribed <- s
	return err
}

func (b *billing) placed(ctx *actor.Context, m Message[Billing, Placed]) (Ack, error) {
	if m.Value.N < 0 {
		return Ack{}, errors.New("a negative order")
	}
	return Ack{}, b.recorder.handle(ctx, m.Event)
}

func (b *billing) crash(*actor.Context, Crash) error { panic("as told") }

func (b *billing) quit(ctx *actor.Context, _ Quit) error {
	ctx.Stop()
	return nil
}

func spawnBilling(t testing.TB, n *cluster.Node, b *billing) actor.Ref[Billing] {
	t.Helper()
	ref, err := actor.Spawn(n.System(), define(b))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func define(b *billing) actor.Definition[Billing] {
	return actor.Define("billing", func() *billing { return &billing{b.recorder, b.orders, b.subscribed} },
		actor.OnCall((*billing).placed), actor.OnCast((*billing).crash), actor.OnCast((*billing).quit))
}

func TestAnActorSubscribesAsItself(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := &billing{recorder: new(recorder)}
		s, err := SubscribeActor(t.Context(), Of[Placed](c.Node(0), "orders.*"), spawnBilling(t, c.Node(0), b))
		if err != nil {
			t.Fatal(err)
		}
		await(t, nodes(c, 2), "orders.eu", "node-0")
		publish(t, c.Node(1), "orders.eu", 100)
		settle()
		publishOne(t, c.Node(1), "orders.eu", -1)
		settle()
		b.recorder.want(t, "the actor", 100)
		if e := b.recorder.all()[0]; e.Topic != "orders.eu" || e.Node != "node-1" {
			t.Errorf("got %+v", e)
		}
		if got := s.Stats(); got != (Stats{Handled: 101, Failed: 1}) {
			t.Errorf("%+v", got)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAnActorThatRestartsKeepsItsSubscription(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		b := &billing{recorder: new(recorder), orders: Of[Placed](c.Node(0), "orders"), subscribed: make(chan *Subscription, 2)}
		ref := spawnBilling(t, c.Node(0), b)
		first := <-b.subscribed
		if err := actor.Tell(ref, Crash{}); err != nil {
			t.Fatal(err)
		}
		if again := <-b.subscribed; again != first {
			t.Error("it has another subscription after its restart")
		}
		publish(t, c.Node(0), "orders", 10)
		settle()
		b.recorder.want(t, "the actor", 10)

		grouped, err := SubscribeActor(t.Context(), b.orders, ref, Group("g"))
		if err != nil || grouped == first {
			t.Errorf("a subscription in a group is another one: %v", err)
		}
		if err := actor.Tell(ref, Quit{}); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Subscription{first, grouped} {
			<-s.Done()
			wantCode(t, "the actor has ended", s.Err(), actor.NotFound)
		}
		await(t, nodes(c, 1), "orders")
		late, err := SubscribeActor(t.Context(), b.orders, ref)
		if err != nil {
			t.Fatal(err)
		}
		<-late.Done()
		wantCode(t, "an actor that has ended subscribes", late.Err(), actor.NotFound)
	})
}

func TestAnActorElsewhereMaySubscribe(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := &billing{recorder: new(recorder)}
		if err := c.Node(1).Serve(define(b)); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("billing", 1)
		orders := Of[Placed](c.Node(0), "orders")
		service, err := SubscribeActor(t.Context(), orders, cluster.Service[Billing](c.Node(0), "billing"))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, c.Node(0), "orders", 10)
		settle()
		b.recorder.want(t, "the service", 10)
		if err := service.Stop(t.Context()); err != nil {
			t.Error(err)
		}

		remote, err := actor.Resolve[Billing](c.Node(0).System(), "actor://node-1/billing")
		if err != nil {
			t.Fatal(err)
		}
		s, err := SubscribeActor(t.Context(), orders, remote)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, c.Node(0), "orders", 10)
		settle()
		if got := len(b.recorder.all()); got != 20 {
			t.Errorf("%d events", got)
		}
		c.Crash(1)
		<-s.Done()
		wantCode(t, "its node was lost", s.Err(), actor.NotFound)
	})
}

// Events wait outside of the mailbox, which has no bound of its own.
func TestASlowActorLosesItsOwnEventsOnly(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		gate := make(chan struct{})
		ref, err := actor.Spawn(c.Node(0).System(), actor.Define("slow", func() chan struct{} { return gate }, actor.OnCall(pass)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := SubscribeActor(t.Context(), Of[Placed](c.Node(0), "orders"), ref, Buffer(5))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, c.Node(0), "orders", 1)
		synctest.Wait()
		publish(t, c.Node(0), "orders", 99)
		synctest.Wait()
		if got := s.Stats(); got != (Stats{Dropped: 94, Waiting: 5}) {
			t.Errorf("%+v", got)
		}
		close(gate)
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func pass(gate chan struct{}, _ *actor.Context, _ Message[Billing, Placed]) (Ack, error) {
	<-gate
	return Ack{}, nil
}
