package topic_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/cluster/topic"
)

// A durable topic keeps its events: a group that comes later gets them all, in order for
// each key, and what it cannot handle becomes a dead letter.
func ExampleDurable() {
	ctx := context.Background()
	node, err := joinHere(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Leave(ctx)

	orders := topic.Of[OrderPlaced](node, "orders", topic.Durable(), topic.Partitions(4))
	for i, item := range []string{"tea", "milk", "sand", "tea"} {
		order := OrderPlaced{ID: i, Item: item}
		// Published again after an error, it would still be one event.
		if err := orders.Publish(ctx, order, topic.Key("ada"), topic.ID(fmt.Sprint(order.ID))); err != nil {
			fmt.Println(err)
		}
	}

	handled := make(chan string, 4)
	_, err = orders.Subscribe(ctx, func(_ context.Context, e topic.Event[OrderPlaced]) error {
		if e.Value.Item == "sand" {
			return topic.Reject(errors.New("we sell no sand"))
		}
		handled <- fmt.Sprintf("%s at %d", e.Value.Item, e.Offset)
		return nil
	}, topic.Group("billing"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		fmt.Println(<-handled)
	}

	rejected := make(chan topic.DeadLetter, 1)
	_, err = orders.DeadLetters().Subscribe(ctx, func(_ context.Context, e topic.Event[topic.DeadLetter]) error {
		rejected <- e.Value
		return nil
	}, topic.Group("support"))
	if err != nil {
		fmt.Println(err)
		return
	}
	d := <-rejected
	order, err := orders.Decode(d)
	fmt.Printf("%s: %s, %v\n", d.Error, order.Item, err)
	// Output:
	// tea at 1
	// milk at 2
	// tea at 4
	// we sell no sand: sand, <nil>
}
