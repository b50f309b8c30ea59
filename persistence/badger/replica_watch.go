package badger

import (
	"context"
	"errors"
	"iter"

	"github.com/troupe-go/troupe/persistence"
)

// Watch is that of [persistence.Store].
func (r *Replica) Watch(ctx context.Context, prefix string, after persistence.Revision) iter.Seq2[persistence.Changes, error] {
	return func(yield func(persistence.Changes, error) bool) {
		follow(ctx, prefix, after, r.Changes, yield)
	}
}

// Changes returns some of what has happened after a revision to the keys with prefix,
// and up to which revision that is all. It waits until there is something to look at,
// and looks at a bounded number of revisions: when nothing in them concerns prefix,
// there are no changes, and reached has grown all the same. Ask again from there. Its
// errors are those that [Replica.Watch] yields; changes and reached are valid with one
// too. The caller owns what is returned.
func (r *Replica) Changes(ctx context.Context, prefix string, after persistence.Revision) (changes []persistence.Changes, reached persistence.Revision, err error) {
	for {
		s := r.current()
		s.stats.watchers.Add(1)
		changes, reached, err = s.await(ctx, prefix, after)
		s.stats.watchers.Add(^uint64(0))
		if !errors.Is(err, persistence.ErrClosed) || r.current() == s { // else a snapshot has taken its place
			return changes, reached, err
		}
	}
}
