package persistence

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
)

const (
	defaultSnapshots = 2
	// maxDeleted bounds a transaction that deletes events.
	maxDeleted = 1000
)

type snapshotConfig struct {
	every  uint64
	schema *schema
	take   func() any
	put    func(any)
	keep   int
	delete bool // events that no snapshot needs
}

// SnapshotEvery writes down the whole state whenever that many events have come
// since the last time, so that a recovery has no more than those to apply. take
// returns the state, which is encoded before the next message; restore takes one
// over. A snapshot that cannot be read is passed over, with a warning in the log,
// for the one before, or for none. One that cannot be taken or written is not missed: the
// events are there. Upcasters convert old snapshots, as they do events.
func SnapshotEvery[S any](events int, take func() S, restore func(S), upcasters ...Upcaster) JournalOption {
	s, err := newSchema[S]("", upcasters)
	if events < 1 || take == nil || restore == nil {
		err = actor.Errorf(actor.InvalidArgument, "SnapshotEvery needs a number of events above 0, and two functions")
	}
	return journalOption(func(c *journalConfig) {
		if err != nil {
			c.reject(err)
			return
		}
		c.snapshot.every, c.snapshot.schema = uint64(events), s
		c.snapshot.take = func() any { return take() }
		c.snapshot.put = func(state any) { restore(state.(S)) }
	})
}

// KeepSnapshots sets how many snapshots are kept; older ones are deleted when a new
// one is written. Default 2, at least 1.
func KeepSnapshots(n int) JournalOption {
	return journalOption(func(c *journalConfig) { c.snapshot.keep = max(1, n) })
}

// DeleteOldEvents deletes the events before the oldest snapshot that is kept, when a
// snapshot is written. Without it all events are kept for ever.
func DeleteOldEvents() JournalOption {
	return journalOption(func(c *journalConfig) { c.snapshot.delete = true })
}

// restoreSnapshot takes over the latest snapshot that can be used.
func (j *Journal[E]) restoreSnapshot(ctx *actor.Context) error {
	if j.config.snapshot.every == 0 {
		return nil
	}
	records, err := j.store.List(ctx, Query{Prefix: j.snapshotKeys(), KeysOnly: true})
	if err != nil {
		return err
	}
	for _, r := range records {
		n, err := parseNumber(strings.TrimPrefix(r.Key, j.snapshotKeys()))
		if err != nil {
			return actor.Errorf(actor.DataLoss, "the key %q is not that of a snapshot: %w", r.Key, err)
		}
		j.snapshots = append(j.snapshots, n)
	}
	for _, n := range slices.Backward(slices.Clone(j.snapshots)) {
		state, err := j.readSnapshot(ctx, n)
		if err == nil {
			j.config.snapshot.put(state)
			j.sequence = n
			return nil
		}
		if !unusable(err) {
			return err
		}
		j.snapshots = j.snapshots[:len(j.snapshots)-1]
		j.broken = append(j.broken, n)
		ctx.Log().Warn("a snapshot cannot be used; recovering from an earlier one, or from the first event",
			"snapshot", n, "error", err)
	}
	return nil
}

func (j *Journal[E]) readSnapshot(ctx *actor.Context, n uint64) (any, error) {
	r, err := j.store.Get(ctx, j.snapshotKey(n))
	if err != nil {
		return nil, err
	}
	return j.config.snapshot.schema.decode(ctx.System(), &r)
}

// unusable reports whether err says that a snapshot is lost, and not that the store
// cannot be read now.
func unusable(err error) bool {
	return errors.Is(err, actor.DataLoss) || errors.Is(err, ErrUnknownType) || errors.Is(err, ErrNotFound)
}

func (j *Journal[E]) snapshotIfDue(ctx *actor.Context) {
	var latest uint64
	if n := len(j.snapshots); n > 0 {
		latest = j.snapshots[n-1]
	}
	c := &j.config.snapshot
	if c.every == 0 || j.sequence-latest < c.every {
		return
	}
	err := j.writeSnapshot(ctx)
	if err == nil && c.delete {
		err = j.deleteOldEvents(ctx)
	}
	if err != nil {
		ctx.Log().Warn("a snapshot was not written, or what it made superfluous not deleted", "event", j.sequence, "error", err)
	}
}

func (j *Journal[E]) writeSnapshot(ctx *actor.Context) error {
	c := &j.config.snapshot
	var state any
	err := contain.Call("the function that takes snapshots", func() error { state = c.take(); return nil })
	if err != nil {
		return err
	}
	change, err := c.schema.encode(ctx.System(), state)
	if err != nil {
		return err
	}
	change.Key = j.snapshotKey(j.sequence)
	then := []Change{change}
	for _, n := range j.broken {
		if n != j.sequence {
			then = append(then, Change{Key: j.snapshotKey(n), Delete: true})
		}
	}
	kept := append(slices.Clone(j.snapshots), j.sequence)
	for ; len(kept) > c.keep; kept = kept[1:] {
		then = append(then, Change{Key: j.snapshotKey(kept[0]), Delete: true})
	}
	// Unsynced: what it says is in the events, which came before.
	if _, err := j.commit(ctx, Transaction{Then: then, Unsynced: true}); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	j.snapshots, j.broken = kept, nil
	return nil
}

// deleteOldEvents deletes those up to the oldest snapshot. A writer that does not
// know of it fails, because the record of the first event has changed.
func (j *Journal[E]) deleteOldEvents(ctx *actor.Context) error {
	first := max(j.first, 1)
	for next := j.snapshots[0] + 1; first < next; first = j.first {
		end := min(next, first+maxDeleted)
		then := []Change{{Key: j.firstKey(), Value: []byte(number(end))}}
		for n := first; n < end; n++ {
			then = append(then, Change{Key: j.eventKey(n), Delete: true})
		}
		revision, err := j.commit(ctx, Transaction{
			If:       []Condition{{Key: j.firstKey(), Revision: j.firstRevision}},
			Then:     then,
			Unsynced: true,
		})
		if err != nil {
			return fmt.Errorf("deleting events: %w", err)
		}
		if j.first, j.firstRevision = end, revision; end > j.sequence {
			j.latest = 0
		}
	}
	return nil
}
