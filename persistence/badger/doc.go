// Package badger keeps a [persistence.Store] on one node, with Badger
// (https://github.com/dgraph-io/badger), on disk or in memory.
//
// [Open] opens a [Store]. What it promises, beyond the interface:
//
//   - A transaction that Commit has acknowledged survives a kill of the process and a
//     crash of the machine. One with Unsynced survives a kill of the process, and is on
//     disk about a second later. No transaction is ever there in part.
//   - After a crash the store opens by itself. If a file does not hold what was written,
//     opening or reading gives [persistence.ErrCorrupt] and names the file: there is no
//     wrong answer. Backup and Restore are for then.
//   - A full disk, or a store at its size limit, gives [persistence.ErrFull]. Nothing that
//     was acknowledged is lost, and deleting goes on.
//   - The memory that a store on disk holds hardly grows with it; see
//     [Config.MemTableSize].
//   - A directory is open once at a time; others get [ErrLocked].
//
// It adds to Badger what that leaves to others: revisions and a history to watch, group
// commit, checks of all files before they are used, and expiry that watchers see. Keys,
// the log of changes and the expiry index share one Badger database.
package badger
