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
//   - The files of a store on disk have at most 3 times the bytes of what is live and kept
//     as history, and 64 MiB, whatever is written; with a [Config.MemTableSize] beyond 16
//     MiB, 4 times that. Where collecting what is overwritten and deleted does not keep up,
//     writers wait. A reader that stays open may hold up what is removed.
//   - Close ends, also when the folder is gone or the disk does not answer, and says what
//     did not.
//   - A directory is open once at a time; others get [ErrLocked].
//
// It adds to Badger what that leaves to others: revisions and a history to watch, group
// commit, checks of all files before they are used, and expiry that watchers see. Keys,
// the log of changes and the expiry index share one Badger database.
package badger
