// Package topic publishes events to whoever has subscribed to them, on any node of the
// cluster and without a broker. Live topics are for those who listen; a durable topic
// keeps its events until its groups are done with them.
//
//	orders := topic.Of[OrderPlaced](node, "orders.eu")
//	err := orders.Publish(ctx, OrderPlaced{ID: 7})
//
//	sub, err := topic.Of[OrderPlaced](node, "orders.*").Subscribe(ctx, bill, topic.Group("billing"))
//
//	orders := topic.Of[OrderPlaced](node, "orders", topic.Durable(), topic.Partitions(8))
//	err := orders.Publish(ctx, order, topic.Key(order.Customer), topic.ID(order.ID))
//	sub, err := orders.Subscribe(ctx, bill, topic.Group("billing"))
//
// # Guarantees of live topics
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
// # Guarantees of durable topics
//
//   - An event for which Publish has returned nil is stored by a majority of the nodes
//     that keep the replicated store, once for each [ID], and every [Group] gets it at
//     least once, unless the [Limits] or [Topic.Purge] remove it before. Groups and their
//     positions last until they are deleted.
//   - A group gets the events of one [Key] one after the other, in the order in which they
//     were published. The next one comes when the one before is acknowledged, or is a dead
//     letter. A handler may still be at one that was given to another, if it was cut off
//     from the cluster, or does not return when its context ends.
//   - [Event.Attempt] tells a redelivery. Events are delivered again after an error, a
//     panic, or the [AckDeadline]; when a member of the group stops, crashes or is cut
//     off; and some when a partition gets another owner without being handed over, or
//     while a member takes more than a second for an event.
//   - What fails [MaxAttempts] times or cannot be decoded is a dead letter, with its error,
//     and blocks nobody any more. What has waited for a handler when a node was lost has
//     not failed.
//   - Offsets of a partition have no gaps, only grow, and go back only by [Topic.Seek].
//   - A publisher gets ResourceExhausted where the topic is full, and no member of a group
//     has more than its [Window]. Without a majority of the store, nothing is published,
//     and groups get what they may have already been given.
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
//
// A durable topic is a number of logs, its partitions, in the replicated store. Each has
// one owner, of the nodes that use the topic, which a record of its session says; the
// revision of that record fences off those before it. All who publish and consume send to
// the owner, which commits what comes at the same time together, and sends events to the
// members of groups as far as their windows reach. A partition moves when its owner
// leaves, which hands it over, or crashes, or when a node that should rather own it begins
// to use the topic.
package topic
