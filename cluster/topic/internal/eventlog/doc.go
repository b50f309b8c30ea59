// Package eventlog keeps the events of one partition of a durable topic, in order and
// numbered, and where each group of consumers is in them. It is a library on a
// [persistence.Store], without a network.
//
// # Guarantees
//
//   - What [Log.Append] has acknowledged is kept until the limits of the log, or
//     [Log.Purge], remove it. Offsets begin at 1, have no gaps, and are never used again.
//   - An event whose ID was appended before gets the offset that it had. IDs are
//     remembered as [Config.DuplicateAge] and [Config.DuplicateCount] say, whatever
//     becomes of the events, also over restarts.
//   - A partition has one writer. Each transaction is conditional on the one before it,
//     so that nothing can be written any more by one that has been opened elsewhere.
//   - Each group gets every event that is kept until one of its consumers has
//     acknowledged it, or it has become a dead letter. An event with a key is delivered
//     when the group is done with the one before it that has the same key; other events
//     do not wait for each other.
//   - An event is delivered again when its consumer has refused it, lets its deadline
//     pass or leaves, when the partition is opened again without having been closed, and
//     when somebody seeks. Only in the last case is it not marked: else
//     [Delivery.Attempt] is more than 1. That it is more than 1 after a crash means that
//     the event may have been delivered, since it was about to be.
//   - An event becomes a dead letter when it has failed as often as its group allows. That
//     a delivery ended without a trace is no failure; after two of those the next ones are
//     suspect, and say so before they are handled, see [Delivery.Suspect].
//   - Events that wait for a retry, and those behind them with the same key, hold nobody
//     up: of these a group keeps the names only when it needs the room.
//   - Memory is bounded: a group has 4 MiB of events, the names of others in 16 MiB, and
//     about 10,000 that are delivered or wait for one with their key. Where that is
//     reached, the group waits, and [Log.Inspect] says so.
//   - What the limits or [Log.Purge] have removed is not delivered any more, and counted as
//     missed. What is being delivered when the limits remove it occupies its key until that
//     is over, and is missed unless it is acknowledged; Purge ends it at once.
//
// # How it works
//
// Events are kept many to a record, a block. One record, the head, says which events
// there are and who writes; every transaction is conditional on its revision and
// replaces it. So of two transactions that were made from the same state one is applied
// at most, and one whose answer was lost can be sent again until it is known what has
// become of it. What is appended while a transaction is under way goes into the next
// one (group commit: Gawlick and Kinkade, "Varieties of Concurrency Control in IMS/VS
// Fast Path", 1985), and so does what the groups have acknowledged. A group notes how
// far it may deliver before it does, which is how it knows after a crash what may have
// been delivered.
//
// A partition that has nothing to do has no goroutine.
package eventlog
