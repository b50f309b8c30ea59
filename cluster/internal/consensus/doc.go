// Package consensus keeps one store that several nodes have copies of: every change is
// an entry of a log that a majority of the voters has on disk before it counts (raft:
// Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, as
// implemented by hashicorp/raft).
//
// A Core is what each node has: it founds or finds the core of the cluster when it is
// first used, sends what it is asked for to the leader, and keeps sessions. Below it, a
// replica is one member of the core: raft, the state machine over a [badger.Replica]
// (machine.go), and, while it leads, the choice of voters (autopilot.go).
//
// Packages below this one, each of which knows those after it alone: snapshot, link,
// raftlog, spool, stopwatch. None knows the Core.
package consensus
