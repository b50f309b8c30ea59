// Package chaos finds out whether the consistent core keeps its promises while the
// network splits and nodes die: clients on all nodes use the store, locks, leadership,
// virtual actors and durable topics, and record what they were told; faults happen in
// random order, by seed; and at the end the whole history is judged. Stores and locks must
// have been linearizable (Herlihy and Wing, 1990; checked with porcupine), tokens must only
// grow, no two activations of an actor may have answered in one epoch, and each group must
// have got what was published, in order for each key.
package chaos
