package persistence

import (
	"context"
	"time"
)

// WriteOption changes how [Put] and the other functions that write a record do it.
type WriteOption interface{ applyWrite(*writeOptions) }

type writeOptions struct {
	ttl      time.Duration
	metadata map[string]string
	unsynced bool
}

type writeOption func(*writeOptions)

func (f writeOption) applyWrite(o *writeOptions) { f(o) }

// TTL makes the record go after that time. 0, the default, keeps it for ever.
func TTL(d time.Duration) WriteOption { return writeOption(func(o *writeOptions) { o.ttl = d }) }

// Metadata keeps facts about the value with it. The map is not changed.
func Metadata(m map[string]string) WriteOption {
	return writeOption(func(o *writeOptions) { o.metadata = m })
}

// Unsynced does not wait until the write is on disk; see [Transaction].
func Unsynced() WriteOption { return writeOption(func(o *writeOptions) { o.unsynced = true }) }

func writeOptionsOf(options []WriteOption) writeOptions {
	var o writeOptions
	for _, option := range options {
		option.applyWrite(&o)
	}
	return o
}

func (o *writeOptions) put(key string, value []byte) Change {
	return Change{Key: key, Value: value, Metadata: o.metadata, TTL: o.ttl}
}

// Put writes a record, whether there is one with that key or not, and returns its
// revision. The value is not kept after it returns.
func Put(ctx context.Context, s Store, key string, value []byte, options ...WriteOption) (Revision, error) {
	o := writeOptionsOf(options)
	return s.Commit(ctx, Transaction{Then: []Change{o.put(key, value)}, Unsynced: o.unsynced})
}

// CompareAndSwap writes a record if the present one has the revision expect; 0 is for
// none. If not, it returns an error that is [ErrConflict] and changes nothing.
func CompareAndSwap(ctx context.Context, s Store, key string, expect Revision, value []byte, options ...WriteOption) (Revision, error) {
	o := writeOptionsOf(options)
	return s.Commit(ctx, Transaction{
		If:       []Condition{{Key: key, Revision: expect}},
		Then:     []Change{o.put(key, value)},
		Unsynced: o.unsynced,
	})
}

// Delete removes a record. It is no error if there is none; then nothing changes, and
// the present revision is returned. Of the options only [Unsynced] means something.
func Delete(ctx context.Context, s Store, key string, options ...WriteOption) (Revision, error) {
	o := writeOptionsOf(options)
	return s.Commit(ctx, Transaction{Then: []Change{{Key: key, Delete: true}}, Unsynced: o.unsynced})
}
