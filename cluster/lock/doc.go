// Package lock holds what only one at a time may have, in the whole cluster: locks,
// semaphores and leadership.
//
// [Acquire] waits for a lock by name and [TryAcquire] does not; [Shared] makes it a
// lock that readers share, [Permits] a semaphore. [Campaign] waits to be the leader,
// and [Observe] follows who is.
//
//	l, err := lock.Acquire(ctx, node, "nightly report")
//	if err != nil {
//		return err
//	}
//	defer l.Release(ctx)
//
// # Guarantees
//
//   - Whoever waits gets the lock in the order of asking; a writer is not starved by
//     readers, nor a large request for permits by small ones.
//   - [Lock.Lost] closes before anybody else can hold the lock, and [Lock.Err] knows it
//     by the clock, at once, also in a process that was stopped for a while.
//   - [Lock.Token] only grows, for ever: a later holder has a higher one.
//   - The lock of a node that leaves is free at once, that of one that crashes when its
//     session has run out; nothing else takes a lock away, however long it is held.
//   - In a minority of a network that is split nobody gets a lock, and whoever asks gets
//     Unavailable.
//
// Two who ask in the same process exclude each other as any others do. A lock is not
// reentrant.
//
// # Fencing
//
// A holder that looks at Err and then writes may be stopped between the two, by the
// garbage collector or the operating system, for longer than its session lasts. What
// must not be written by two holders therefore has to be written with the token, to
// something that remembers the highest one it has seen and refuses lower ones (Burrows,
// "The Chubby lock service for loosely-coupled distributed systems", 2006, calls it a
// sequencer; Kleppmann, "How to do distributed locking", 2016, a fencing token). The
// example of the package has such a resource, and demo/locks shows one at work.
//
// # How it works
//
// Whoever asks puts a record into the queue of the lock, in the replicated store, owned
// by the session of its node; the token is the revision of that record. The first holds
// the lock, or the first few where they agree to share it. Whoever waits watches the one
// record that is in its way, and looks at the queue again when that is gone; nobody
// polls. (ZooKeeper's recipe for locks: Hunt et al., "ZooKeeper: Wait-free coordination
// for Internet-scale systems", 2010, section 2.4.)
package lock
