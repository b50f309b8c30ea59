// Package virtual runs virtual actors and cluster singletons.
//
// A virtual actor always exists, by its kind and key: nobody spawns it. [Serve] says
// that a node may run actors of a kind, and [Ref] refers to one of them. It is
// activated by its first message, on one of those nodes, and passivated when it has
// been idle; its Ref stays good. The idea is that of Orleans (Bernstein et al.,
// "Orleans: Distributed Virtual Actors for Programmability and Scalability", 2014).
// [Singleton] runs one actor in the whole cluster.
//
// # Guarantees
//
//   - At most one activation of a key exists in the cluster at any time, also when
//     the network splits. It ends, or at least handles no further message, before
//     another one is activated. What cannot be taken back while a handler runs, such
//     as a write elsewhere, is fenced with [Epoch].
//   - When nodes join or leave, as few keys move as possible; a singleton moves only when
//     its own node leaves or crashes. A key that moves handles
//     what it has, and its next message waits for the new activation. Messages of one
//     sender may overtake each other only then.
//   - A node that leaves handles what its activations have, sends on what it has not
//     begun, and lets others own its shards at once. What it cannot end in time is cut
//     short: such a request fails with Unavailable, since it may have had effects.
//   - An activation that is lost with its node, or stops by itself, loses what it has
//     in memory, and the next message activates the key anew. Keep what must stay
//     with package persistence on node.Store(): the identity of an actor is the same
//     wherever it is activated.
//   - A request waits, within its deadline, while its key moves. It fails with
//     Unavailable within about a second when no node serves the kind, or the
//     replicated store cannot be reached, and with ResourceExhausted when too many
//     wait. A request without a deadline waits as long as there is hope.
//   - What is told does not wait for its sender: it is kept while its key moves, for
//     half a minute, and then becomes a dead letter.
//
// [OnRole] restricts on which nodes a kind may run. All nodes that run a kind do so with
// the same settings; see [Serve].
//
// [BestEffort] trades the first guarantee for availability.
//
// # How it works
//
// The keys of a kind fall into shards. A record in the store of the node's session
// (see cluster.Session) says which node owns a shard, and goes when the session ends;
// another, which nodes serve the kind; and a third, with which settings they do.
// Rendezvous hashing (Thaler and Ravishankar, 1998) says which node should own it; a
// transaction decides. Each node that uses a kind follows its records with one watch.
// Nothing runs before a kind is used.
package virtual
