//go:build !linux

package badgerfile

import "github.com/dgraph-io/badger/v4"

// SyncMemtable makes the log of Badger's newest memtable durable.
func (*Logs) SyncMemtable(db *badger.DB) error { return db.Sync() }
