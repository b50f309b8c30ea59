package topic

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestAnActorSubscribesToADurableTopicWhenItStarts(t *testing.T) {
	playDurable(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		orders := durable(c.Node(1))
		owners(t, c.Node(0)) // so that both use it, and no partition moves later
		owners(t, c.Node(1))
		settle()
		handled := make(chan Event[Placed], 100)
		to, err := actor.Spawn(c.Node(1).System(), actor.Define("clerk", func() *clerk { return &clerk{orders, func(e Event[Placed]) { handled <- e }, 0} }, actor.OnCall((*clerk).placed)))
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

// An actor that subscribes when it starts handles nothing before it has, and partitions
// that move meanwhile do not wait for it.
func TestAnActorThatSubscribesWhilePartitionsMoveGetsMarkedEventsAgain(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 40 {
			j.put(t, durable(c.Node(0)), Placed{"before", i}, keyOf(i%7))
		}
		for node := 1; node < 3; node++ { // partitions move to each
			orders := durable(c.Node(node))
			handle := func(e Event[Placed]) { j.add(handling{"clerks", c.Node(node).Name(), e}) }
			_, err := actor.Spawn(c.Node(node).System(), actor.Define("clerk", func() *clerk { return &clerk{orders, handle, 2 * drainTimeout} }, actor.OnCall((*clerk).placed)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				j.put(t, orders, Placed{c.Node(node).Name(), i}, keyOf(i%7))
			}
		}
		j.await(t, "clerks")
		settle()
		again, g := j.judge(t), inspectGroup(t, durable(c.Node(0)), "clerks")
		t.Logf("%d events were delivered again, %d were handled again", g.Redelivered, again)
		if g.Lag != 0 || g.DeadLetters != 0 || g.Redelivered == 0 {
			t.Errorf("%+v; want some that were delivered again", g)
		}
	})
}

// Clerk is the protocol of an actor that subscribes by itself.
type Clerk struct{}

type clerk struct {
	orders *Topic[Placed]
	handle func(Event[Placed])
	pause  time.Duration // that it takes to start
}

func (a *clerk) Started(ctx *actor.Context) error {
	_, err := SubscribeActor(ctx, a.orders, actor.Self[Clerk](ctx), Group("clerks"))
	<-time.After(a.pause)
	return err
}

func (a *clerk) placed(_ *actor.Context, m Message[Clerk, Placed]) (Ack, error) {
	a.handle(m.Event)
	return Ack{}, nil
}
