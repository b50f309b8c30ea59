package config

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// namespace is where documents are in the replicated store.
const namespace = "config"

// maxName is how long the name of a document may be.
const maxName = 100

// history is the versions of a document that the store has, a record each.
type history struct {
	store    persistence.Store
	document string
}

func newHistory(s persistence.Store, document string) (history, error) {
	ok := document != "" && len(document) <= maxName && document[0] != '.'
	for _, c := range []byte(document) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.", c) >= 0)
	}
	if !ok {
		return history{}, actor.Errorf(actor.InvalidArgument, "config: %.120q cannot be the name of a document: use 1 to %d of a-z, 0-9, -, _ and ., and no . first", document, maxName)
	}
	return history{persistence.Namespace(s, namespace), document}, nil
}

// prefix is that of the keys of all versions. No name has a slash.
func (h history) prefix() string { return h.document + "/" }

// key is in the order of the numbers.
func (h history) key(number uint64) string { return fmt.Sprintf("%s%016x", h.prefix(), number) }

func (h history) decode(key string, revision persistence.Revision, value []byte) (Version, error) {
	v, err := decodeVersion(value)
	if err == nil {
		v.Revision = revision
		v.Number, err = h.number(key)
	}
	if err != nil {
		return Version{}, actor.Errorf(actor.DataLoss, "config: the record %q in the namespace %q is no version of a document; if another program wrote it, delete it: %w", key, namespace, err)
	}
	return v, nil
}

func (h history) number(key string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(key, h.prefix()), 16, 64)
	if err == nil && (n == 0 || h.key(n) != key) {
		err = errors.New("its key has no number of a version")
	}
	return n, err
}

// newest returns the newest version.
func (h history) newest(ctx context.Context) (Version, error) {
	all, err := h.list(ctx, 1)
	if err != nil || len(all) == 0 {
		return unwritten(), err
	}
	return all[0], nil
}

// list returns the newest versions, newest first; limit 0 is all.
func (h history) list(ctx context.Context, limit int) ([]Version, error) {
	records, err := h.store.List(ctx, persistence.Query{Prefix: h.prefix(), Descending: true, Limit: limit})
	if err != nil {
		return nil, err
	}
	all := make([]Version, len(records))
	for i, r := range records {
		if all[i], err = h.decode(r.Key, r.Revision, r.Value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (h history) get(ctx context.Context, number uint64) (Version, error) {
	r, err := h.store.Get(ctx, h.key(number))
	if errors.Is(err, persistence.ErrNotFound) {
		return Version{}, actor.Errorf(actor.NotFound, "version %d was never written, or is no longer kept; see History: %w", number, err)
	} else if err != nil {
		return Version{}, err
	}
	return h.decode(r.Key, r.Revision, r.Value)
}

// add writes a version after newest, keeps that many, and returns its revision. The error
// is persistence.ErrConflict if newest is not the newest any more.
func (h history) add(ctx context.Context, newest Version, value []byte, keep int) (persistence.Revision, error) {
	key := h.key(newest.Number + 1)
	t := persistence.Transaction{
		If:   []persistence.Condition{{Key: key}},
		Then: []persistence.Change{{Key: key, Value: value}},
	}
	if newest.Number > 0 {
		t.If = append(t.If, persistence.Condition{Key: h.key(newest.Number), Revision: newest.Revision})
		old, err := h.store.List(ctx, persistence.Query{
			Prefix: h.prefix(), Descending: true, KeysOnly: true, Offset: keep - 1, Limit: maxVersions,
		})
		if err != nil {
			return 0, err
		}
		for _, r := range old {
			t.Then = append(t.Then, persistence.Change{Key: r.Key, Delete: true})
		}
	}
	return h.store.Commit(ctx, t)
}
