package persistence

import (
	"context"
	"iter"
	"time"
)

// Store keeps records: a value under a key, in the order of the keys. It is the
// seam between those who keep data and where it is kept: package badger keeps one on
// Badger, a node's replicated store is another. Package storetest holds the
// conformance suite. All methods may be called concurrently.
//
// Every change of a store has a revision, which only grows, store-wide. Reads and
// writes are linearizable (Herlihy and Wing, 1990), except reads that ask for
// less; see [Stale].
//
// A call whose context has ended does nothing, and returns an error that is that of the
// context; after Close all return [ErrClosed]. What makes no sense is [ErrInvalid]: a key
// longer than [MaxKeySize], metadata larger than [MaxMetadataSize], a TTL below 0 or
// above [MaxTTL], a query with a negative Offset or Limit, and two changes of one key in a
// transaction.
//
// A store on disk has everything when it is opened again, but what was Unsynced in a
// crash: the same records with the same revisions, and their history.
type Store interface {
	// Get returns the record of key, or an error that is [ErrNotFound], also when its
	// TTL is over.
	Get(ctx context.Context, key string, options ...ReadOption) (Record, error)

	// List returns the records that match q, in the order it asks for. None is no
	// error. All come from one revision.
	List(ctx context.Context, q Query, options ...ReadOption) ([]Record, error)

	// Commit applies t as a whole, or not at all, and returns the revision that
	// its changes have. When a condition does not hold it returns an error that
	// is [ErrConflict], and has changed nothing. A transaction without changes, or
	// which only deletes what is not there, checks its conditions, and returns the present
	// revision. Commit keeps nothing of t.
	Commit(ctx context.Context, t Transaction) (Revision, error)

	// Watch yields the transactions that changed keys with prefix, after the
	// given revision, each once, in order, without end: those that were, then
	// those that come. The changes of one transaction come together, without those of other
	// keys. That a record has expired is a change, too, soon after its time is over. It can
	// so be resumed after the last revision that was seen. One that is slow holds up nobody: not
	// writers, and not other watches. It ends with an error: [ErrHistoryGone] if changes
	// after that revision are no longer kept, that of ctx, or [ErrClosed].
	Watch(ctx context.Context, prefix string, after Revision) iter.Seq2[Changes, error]

	// Close ends the store and waits for its goroutines. It is idempotent.
	Close() error
}

// What a [Store] takes, in bytes: the length of a key, with the namespaces it is in, and
// the sum of what is in the metadata of one record.
const (
	MaxKeySize      = 32 << 10
	MaxMetadataSize = 32 << 10
)

// MaxTTL is the longest time to live that a [Store] takes: 100 years.
const MaxTTL = 100 * 365 * 24 * time.Hour

// Revision numbers the changes of a store, from 1. 0 is before the first.
type Revision uint64

// Record is a value under a key. It belongs to whoever got it, slices and all.
type Record struct {
	// Key is any string, also empty or not UTF-8. Records are ordered by its bytes.
	Key   string
	Value []byte
	// Metadata says something about the value, such as its type.
	Metadata map[string]string
	// Revision is that of the latest change of this record.
	Revision Revision
	// Expires is when the record will be gone; zero if never.
	Expires time.Time
}

// Query selects records.
type Query struct {
	// Prefix and Suffix select keys that begin and end so; both must hold.
	Prefix, Suffix string
	// After is a key to go on after: the last one of the page before. It need not
	// exist.
	After string
	// Offset skips that many of the records that match. Limit is how many are
	// returned at most; 0 is all.
	Offset, Limit int
	// Descending returns the highest key first.
	Descending bool
	// KeysOnly leaves out values.
	KeysOnly bool
}

// Transaction is a set of changes that happen together if all conditions hold.
type Transaction struct {
	// If must hold for the changes to happen.
	If []Condition
	// Then are the changes. No two are of the same key.
	Then []Change
	// Unsynced lets Commit return before the changes are on disk: a crash of the
	// machine or the process may lose them, but none without those after it.
	Unsynced bool
}

// Condition is what a transaction requires of one key.
type Condition struct {
	Key string
	// Revision is the one that the record must have; 0 means that there must be
	// no record.
	Revision Revision
}

// Change is a write or a deletion.
type Change struct {
	Key string
	// Delete removes the record; then the other fields are not used. Removing
	// what is not there is no error.
	Delete   bool
	Value    []byte
	Metadata map[string]string
	// TTL is how long the record will live, up to [MaxTTL]; 0 is for ever, also in place of
	// one that had a TTL.
	TTL time.Duration
	// Expired tells a watcher that the record went because its time was over. It
	// is not used in a transaction.
	Expired bool
}

// Changes is what one transaction did to the keys that are watched.
type Changes struct {
	Revision Revision
	Changes  []Change
}

// ReadOption changes how a read is done.
type ReadOption int

// Stale lets a replicated store answer from what this node has, which may lag behind.
// A store on one node is never stale.
const Stale ReadOption = 1
