package topic_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic"
	"github.com/troupe-go/troupe/security"
)

// joinHere joins a cluster of one. A program just calls cluster.Join(ctx).
func joinHere(ctx context.Context) (*cluster.Node, error) {
	secret, err := security.ParseSecret("the secret of the examples")
	if err != nil {
		return nil, err
	}
	return cluster.Join(ctx,
		cluster.WithCluster("examples"),
		cluster.WithName("ada"),
		cluster.WithSecret(secret),
		cluster.WithListen("127.0.0.1:0"),
		cluster.WithDiscovery(), // there is nobody to find
		cluster.WithLogger(slog.New(slog.DiscardHandler)),
		cluster.WithEnvironment(func(string) string { return "" }),
	)
}

// OrderPlaced is published when somebody has ordered something.
type OrderPlaced struct {
	ID   int
	Item string
}

// A function subscribes to a topic.
func Example() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	sub, err := topic.Of[OrderPlaced](node, "orders.*").Subscribe(ctx, func(_ context.Context, e topic.Event[OrderPlaced]) error {
		fmt.Printf("%s: %d, %s\n", e.Topic, e.Value.ID, e.Value.Item)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	orders := topic.Of[OrderPlaced](node, "orders.eu")
	for i, item := range []string{"tea", "milk"} {
		if err := orders.Publish(ctx, OrderPlaced{ID: i, Item: item}); err != nil {
			fmt.Println(err)
		}
	}
	if err := sub.Stop(ctx); err != nil { // what waits is still handled
		fmt.Println(err)
	}
	fmt.Println(sub.Stats().Handled, "handled")
	// Output:
	// orders.eu: 0, tea
	// orders.eu: 1, milk
	// 2 handled
}

// Billing is the protocol of an actor.
type Billing struct{}

type billing struct {
	orders *topic.Topic[OrderPlaced]
	billed chan<- int
}

// Started subscribes the actor as a member of a group: of all its members, on all nodes,
// one gets each event.
func (b *billing) Started(ctx *actor.Context) error {
	_, err := topic.SubscribeActor(ctx, b.orders, actor.Self[Billing](ctx), topic.Group("billing"))
	return err
}

func (b *billing) placed(_ *actor.Context, m topic.Message[Billing, OrderPlaced]) (topic.Ack, error) {
	b.billed <- m.Value.ID
	return topic.Ack{}, nil
}

// An actor subscribes as itself: events come as messages, between its others.
func ExampleSubscribeActor() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	orders := topic.Of[OrderPlaced](node, "orders")
	billed := make(chan int)
	_, err = actor.Spawn(node.System(), actor.Define("billing",
		func() *billing { return &billing{orders, billed} },
		actor.OnCall((*billing).placed)))
	if err != nil {
		fmt.Println(err)
		return
	}
	// It subscribes when it starts, which is soon.
	if err := node.Await(ctx, func() bool { return len(orders.Interested()) > 0 }); err != nil {
		fmt.Println(err)
		return
	}
	if err := orders.Publish(ctx, OrderPlaced{ID: 7, Item: "tea"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println("billed:", <-billed)
	// Output: billed: 7
}
