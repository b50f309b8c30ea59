// Package persistence keeps data: a Store of records, and actors that survive.
//
// A [Store] has records in the order of their keys, transactions with conditions,
// revisions that only grow, and watches that miss nothing. package badger keeps one with
// Badger, on disk or in memory, for one process. [Of] gives a typed view,
// [Namespace] a part of a store for one user. Package storetest is the conformance
// suite for other stores.
//
// A [Journal] makes an actor what its events make of it, and a [State] one whose
// value is saved as a whole. Both fail the actor where the store fails, so that no
// caller is told of a success that a crash could undo. [Reminders] send a request
// when its time has come, also after a restart, at least once.
//
// Whatever a call has acknowledged survives a kill of the process, unless it was
// asked not to wait for the disk. The guide is docs/persistence.md.
package persistence
