package persistence

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// namespace is a view of the keys with a prefix.
type namespace struct {
	store  Store
	prefix string
}

// Namespace returns a view of s with keys of its own, so that several users of a store
// need not know of each other. Two names never share a key, whatever they contain, nor
// does a namespace with one inside of it. Whoever has s sees the keys of all, with the
// name before them.
//
// Revisions are those of s: they also grow by what happens elsewhere in it. Closing
// the view does nothing; s is closed by its owner.
func Namespace(s Store, name string) Store {
	return &namespace{store: s, prefix: namespacePrefix(name)}
}

// namespacePrefix ends with 0, 1; inside the name, 0 is followed by 0xff. No such
// prefix so begins with another one, and names keep their order (as in the tuples of
// FoundationDB).
func namespacePrefix(name string) string {
	return strings.ReplaceAll(name, "\x00", "\x00\xff") + "\x00\x01"
}

func (n *namespace) Get(ctx context.Context, key string, options ...ReadOption) (Record, error) {
	r, err := n.store.Get(ctx, n.prefix+key, options...)
	r.Key = strings.TrimPrefix(r.Key, n.prefix)
	return r, err
}

func (n *namespace) List(ctx context.Context, q Query, options ...ReadOption) ([]Record, error) {
	below := q
	below.Prefix = n.prefix + q.Prefix
	if q.After != "" {
		below.After = n.prefix + q.After
	}
	// The store would also find keys of which a part of the suffix is in our prefix:
	// they are left out here, and so offset and limit are for here, too.
	ambiguous := overlaps(n.prefix, q.Suffix) && q.Offset >= 0 && q.Limit >= 0
	if ambiguous {
		below.Offset, below.Limit = 0, 0
	}
	records, err := n.store.List(ctx, below, options...)
	if err != nil {
		return nil, err
	}
	for i := range records {
		records[i].Key = strings.TrimPrefix(records[i].Key, n.prefix)
	}
	if !ambiguous {
		return records, nil
	}
	records = slices.DeleteFunc(records, func(r Record) bool { return !strings.HasSuffix(r.Key, q.Suffix) })
	records = records[min(q.Offset, len(records)):]
	if q.Limit > 0 {
		records = records[:min(q.Limit, len(records))]
	}
	return records, nil
}

func (n *namespace) Commit(ctx context.Context, t Transaction) (Revision, error) {
	conditions := make([]Condition, len(t.If))
	for i, c := range t.If {
		conditions[i] = Condition{Key: n.prefix + c.Key, Revision: c.Revision}
	}
	changes := make([]Change, len(t.Then))
	for i, c := range t.Then {
		c.Key = n.prefix + c.Key
		changes[i] = c
	}
	t.If, t.Then = conditions, changes
	return n.store.Commit(ctx, t)
}

func (n *namespace) Watch(ctx context.Context, prefix string, after Revision) iter.Seq2[Changes, error] {
	return func(yield func(Changes, error) bool) {
		for changes, err := range n.store.Watch(ctx, n.prefix+prefix, after) {
			for i := range changes.Changes {
				changes.Changes[i].Key = strings.TrimPrefix(changes.Changes[i].Key, n.prefix)
			}
			if !yield(changes, err) {
				return
			}
		}
	}
}

// Close implements [Store].
func (n *namespace) Close() error { return nil }

// overlaps reports whether the end of a is the beginning of b.
func overlaps(a, b string) bool {
	for n := 1; n <= min(len(a), len(b)); n++ {
		if strings.HasSuffix(a, b[:n]) {
			return true
		}
	}
	return false
}
