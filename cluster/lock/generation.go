package lock

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// generation is what the keys in a queue begin with. The store remembers deleted keys
// for a while, and a list has to step over them: so now and then a new generation
// begins, and lists begin with the one before, as soon as nobody is left in those
// before that.
//
// The generation is the revision of a record whose value is the generation before. Who
// enters a queue requires that revision. There is no such record, and the generation is
// 0, before the first one and when the queue was not used for a while; a list then
// begins at the beginning.
type generation struct{ current, previous persistence.Revision }

const (
	// generationSize is how many revisions of the store a generation has at least.
	generationSize = 128
	// generationLife is how long the record of a generation is kept.
	generationLife = time.Hour
)

// generationKey returns the key of the record.
func (q queue) generationKey() string { return generations + strings.TrimPrefix(q.prefix, "lock/") }

func (q queue) generation(ctx context.Context, s persistence.Store, options ...persistence.ReadOption) (generation, error) {
	r, err := s.Get(ctx, q.generationKey(), options...)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return generation{}, nil
	case err != nil:
		return generation{}, err
	}
	previous, err := strconv.ParseUint(string(r.Value), 16, 64)
	if err != nil {
		return generation{}, actor.Errorf(actor.DataLoss, "lock: %s: the record %q is not understood: delete it, or run the version that wrote it: %w", q, r.Key, err)
	}
	return generation{r.Revision, persistence.Revision(previous)}, nil
}

// next returns t such that it begins the generation after g, if g is the present one.
func (q queue) next(t persistence.Transaction, g generation) persistence.Transaction {
	t.If = append(slices.Clip(t.If), persistence.Condition{Key: q.generationKey(), Revision: g.current})
	t.Then = append(slices.Clip(t.Then), persistence.Change{
		Key:   q.generationKey(),
		Value: strconv.AppendUint(nil, uint64(g.current), 16),
		TTL:   generationLife,
	})
	return t
}

// mayEnd reports whether the generation of the i-th in l, which holds, is old enough for
// a new one, and nobody is left of those before it.
func (l line) mayEnd(i int) bool {
	g := l[i].generation
	for _, p := range l {
		if p.generation < g {
			return false
		}
	}
	return l[i].revision-g >= generationSize
}
