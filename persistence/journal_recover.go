package persistence

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
)

var (
	errMissingEvent = actor.NewError(actor.DataLoss, "an event is missing")
	errRecovered    = actor.NewError(actor.FailedPrecondition, "the journal has been recovered already")
)

// Recover brings the state back: from the latest snapshot that is usable, and the
// events after it. It belongs into the actor's Started method, which returns its
// error, so that supervision decides what becomes of an actor that cannot be
// recovered: it is [ErrUnknownType] for an event that the program does not know,
// DataLoss for a gap or an event that does not decode, InvalidArgument for a
// mistake in the options or a type that would not come back (see [actor.Codecs.For]),
// and else that of the store.
func (j *Journal[E]) Recover(ctx *actor.Context) error {
	if j.config.invalid != nil {
		return j.config.invalid
	}
	for _, s := range j.schemas() {
		if err := s.check(ctx.System()); err != nil {
			return err
		}
	}
	if j.ready {
		return actor.Errorf(actor.FailedPrecondition, "%w: make the actor and its journal in the function given to actor.Define", errRecovered)
	}
	if err := j.identify(ctx); err != nil {
		return err
	}
	if err := j.recover(ctx); err != nil {
		return fmt.Errorf("the journal of %s: %w", j.id, err)
	}
	j.ready = true
	return nil
}

// schemas returns those of the events and of the snapshots.
func (j *Journal[E]) schemas() []*schema {
	if j.config.snapshot.schema == nil {
		return j.config.types
	}
	return append(slices.Clone(j.config.types), j.config.snapshot.schema)
}

func (j *Journal[E]) recover(ctx *actor.Context) error {
	if err := j.readFirst(ctx); err != nil {
		return err
	}
	if err := j.restoreSnapshot(ctx); err != nil {
		return err
	}
	if j.sequence+1 < j.first {
		return actor.Errorf(actor.DataLoss, "%w: those before number %d were deleted, and no snapshot after them is usable", errMissingEvent, j.first)
	}
	if err := j.readLatest(ctx); err != nil {
		return err
	}
	return j.replay(ctx)
}

// readLatest finds the event that the snapshot ends with, if it is still there.
func (j *Journal[E]) readLatest(ctx *actor.Context) error {
	if j.sequence == 0 {
		return nil
	}
	r, err := j.store.Get(ctx, j.eventKey(j.sequence))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	j.latest = r.Revision
	return err
}

// readFirst finds out from where on events are kept.
func (j *Journal[E]) readFirst(ctx *actor.Context) error {
	r, err := j.store.Get(ctx, j.firstKey())
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	j.firstRevision = r.Revision
	if j.first, err = parseNumber(string(r.Value)); err != nil {
		return actor.Errorf(actor.DataLoss, "the record %q holds no number: %w", r.Key, err)
	}
	return nil
}

// Events are read in pages of about pageBytes.
const (
	firstPage = 128
	maxPage   = 1024
	pageBytes = 1 << 20
)

// replay applies the events after the present one.
func (j *Journal[E]) replay(ctx *actor.Context) error {
	from, total, err := j.sequence, uint64(0), error(nil)
	if j.config.onReplay != nil {
		if total, err = j.remaining(ctx); err != nil {
			return err
		}
	}
	limit := firstPage
	for {
		page, err := j.store.List(ctx, Query{Prefix: j.eventKeys(), After: j.eventKey(j.sequence), Limit: limit})
		if err != nil {
			return err
		}
		size, err := j.replayPage(ctx, page)
		if err != nil {
			return err
		}
		j.tellReplay(ctx, j.sequence-from, total)
		if len(page) < limit {
			return nil
		}
		limit = min(maxPage, max(1, pageBytes*len(page)/max(1, size)))
	}
}

// tellReplay calls the function of [OnReplay], whose failure is its own affair.
func (j *Journal[E]) tellReplay(ctx *actor.Context, replayed, total uint64) {
	f := j.config.onReplay
	if f == nil {
		return
	}
	err := contain.Call("the function given to OnReplay", func() error { f(replayed, max(total, replayed)); return nil })
	if err != nil {
		ctx.Log().Error("the recovery goes on without it", "error", err)
	}
}

// remaining returns how many events come after the present one.
func (j *Journal[E]) remaining(ctx *actor.Context) (uint64, error) {
	latest, err := j.store.List(ctx, Query{Prefix: j.eventKeys(), Descending: true, KeysOnly: true, Limit: 1})
	if err != nil || len(latest) == 0 {
		return 0, err
	}
	n, err := parseNumber(strings.TrimPrefix(latest[0].Key, j.eventKeys()))
	if err != nil {
		return 0, actor.Errorf(actor.DataLoss, "the key %q is not that of an event: %w", latest[0].Key, err)
	}
	return max(n, j.sequence) - j.sequence, nil
}

func (j *Journal[E]) replayPage(ctx *actor.Context, page []Record) (size int, err error) {
	for i := range page {
		r := &page[i]
		if next := j.eventKey(j.sequence + 1); r.Key != next {
			return 0, actor.Errorf(actor.DataLoss, "%w: there is %q instead of %q", errMissingEvent, r.Key, next)
		}
		event, err := j.decode(ctx, r)
		if err != nil {
			return 0, err
		}
		j.sequence++
		j.latest = r.Revision
		j.applyOne(event)
		size += len(r.Key) + len(r.Value)
	}
	return size, nil
}

func (j *Journal[E]) decode(ctx *actor.Context, r *Record) (event E, err error) {
	name := r.Metadata[typeKey]
	for _, s := range j.config.types {
		if s.name == name {
			value, err := s.decode(ctx.System(), r)
			if err != nil {
				return event, err
			}
			return value.(E), nil
		}
	}
	return event, fmt.Errorf("the record %q is of type %q, of which there is no EventType: %w", r.Key, name, ErrUnknownType)
}
