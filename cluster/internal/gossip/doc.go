// Package gossip tells a node who else is in its cluster and what they serve.
//
// Membership and failure detection are hashicorp/memberlist, which implements
// SWIM with the Lifeguard extensions (Das, Gupta and Motivala, "SWIM:
// Scalable Weakly-consistent Infection-style Process Group Membership
// Protocol", 2002; Dadgar, Phillips and Currey, "Lifeguard: Local Health
// Awareness for More Accurate Failure Detection", 2017). This is the only
// package that imports it. It knows nothing of actors.
//
// A member is one start of a process: its name in memberlist is the name of
// the node and a random incarnation. A node that restarts, or moves to another
// address, is therefore simply a new [Member], and a name is never reused.
//
// Every member publishes one catalog: an opaque value with a version that only
// grows. A catalog that fits a packet spreads as an epidemic; a larger one is
// sent to each member over a stream. The periodic exchange of all state between
// two random members repairs whatever was lost. The last version of a catalog
// is its member's farewell: memberlist does not say whether a member left or
// failed, and the farewell does.
//
// What the package reports is a local and eventually consistent view. Two
// members may hold different views for a while, and in a partition for as long
// as it lasts.
package gossip
