// Package topic publishes events to whoever has subscribed to them, on any node of the
// cluster and without a broker.
//
//	orders := topic.Of[OrderPlaced](node, "orders.eu")
//	err := orders.Publish(ctx, OrderPlaced{ID: 7})
//
//	sub, err := topic.Of[OrderPlaced](node, "orders.*").Subscribe(ctx, bill, topic.Group("billing"))
//
// # Guarantees
//
//   - An event reaches a subscription at most once. It reaches every subscription
//     without a group, and one of the members of each group, that the publishing node
//     knows of, and that has room for it. A subscription is known on its node at once,
//     and on others as soon as gossip has spread it; [Topic.Interested] tells.
//   - Events that one goroutine publishes to a topic reach a subscription in that order,
//     as long as the link between the nodes holds. The members of a group work at the
//     same time.
//   - A publisher never waits for a subscriber. One that is too slow loses events of its
//     own, and nobody else's: [Stats] counts them, and the first of a row is a dead letter
//     of its node. So is what is lost on the way there, where somebody wanted it.
//   - An event that cannot be decoded, since it is of another type or damaged, is a dead
//     letter, and counted by the subscriptions that it was for.
//   - The network may split: an event then reaches those on the publisher's side. When a
//     member of a group is lost, the others get what is published once that is known, or
//     when its node refuses the link.
//
// # How it works
//
// Each node announces which topics it subscribes to, and for how many members of which
// groups (see cluster.Node.Announce). From that, a publisher works out the route of a
// topic once, and again when something has changed. An event is encoded once, and sent
// once to each node that wants it, by the links that carry the messages of actors; it is
// decoded once there for each type, and handed to the subscriptions. That interest should
// travel ahead of events, so that they go only where they are wanted, is an old idea
// (Carzaniga, Rosenblum and Wolf, "Design and Evaluation of a Wide-Area Event
// Notification Service", 2001).
package topic
