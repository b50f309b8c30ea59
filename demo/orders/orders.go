package main

import (
	"fmt"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic"
)

// Order is what is published when a customer has ordered something.
type Order struct {
	Number   int
	Customer string
	Item     string
}

// id makes an order one event, however often it is published.
func (o Order) id() string { return fmt.Sprint("order-", o.Number) }

// orders is the topic. All processes give it the same options.
func orders(node *cluster.Node) *topic.Topic[Order] {
	return topic.Of[Order](node, "orders", topic.Durable(), topic.Partitions(4))
}
