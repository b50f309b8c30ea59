//go:build !linux

package badger

import "github.com/dgraph-io/badger/v4"

// syncMemtable makes the log of Badger's newest memtable durable.
func (*disk) syncMemtable(db *badger.DB) error { return db.Sync() }
