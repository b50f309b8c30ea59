package config

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/persistence"
)

// Get returns the newest version of all that were written, by whatever node. A document
// that was never written has version 0, which is empty. It fails with Unavailable where
// the replicated store cannot be reached.
func (d *Document) Get(ctx context.Context) (Version, error) {
	v, err := d.history.newest(ctx)
	if err != nil {
		return Version{}, d.failure("reading", err)
	}
	return v, nil
}

// History returns the newest versions that are kept, newest first; limit 0 is all. Its
// errors are those of [Document.Get].
func (d *Document) History(ctx context.Context, limit int) ([]Version, error) {
	all, err := d.history.list(ctx, limit)
	if err != nil {
		return nil, d.failure("reading", err)
	}
	return all, nil
}

// Put writes a new version, which has these values and no others, and returns it. Values
// are copied.
//
// This and the other writes return InvalidArgument for what cannot be a document, or is
// refused by [Check]; persistence.ErrConflict if [At] asked for another version; and
// whatever the replicated store says, such as Unavailable where it cannot be reached. If
// that says that the outcome is unknown, look with Get. Nothing is written with any other
// error.
func (d *Document) Put(ctx context.Context, values map[string]any, options ...WriteOption) (Version, error) {
	normal, err := normalize(values)
	if err != nil {
		return Version{}, d.refusal(err)
	}
	return d.write(ctx, options, "", func(Version) (map[string]any, error) { return normal, nil })
}

// PutJSON is Put with the values of a JSON object. Numbers with a point or an exponent
// are float64, others int64. Errors name the line.
func (d *Document) PutJSON(ctx context.Context, data []byte, options ...WriteOption) (Version, error) {
	values, err := unmarshal(data)
	if err != nil {
		return Version{}, d.refusal(err)
	}
	return d.Put(ctx, values, options...)
}

// Set writes a new version that differs from the newest in one value, at a path such as
// "http.timeout", and returns it. Maps on the way are made; a map as the value replaces
// what is there. Of others who write at the same time nothing is lost. Errors are those
// of [Document.Put]; it is InvalidArgument if the path leads through what is not a map.
func (d *Document) Set(ctx context.Context, path string, value any, options ...WriteOption) (Version, error) {
	keys, err := splitPath(path)
	if err != nil {
		return Version{}, d.refusal(err)
	}
	return d.write(ctx, options, "", func(newest Version) (map[string]any, error) {
		if err := put(newest.Values, keys, value); err != nil {
			return nil, d.refusal(err)
		}
		return newest.Values, nil
	})
}

// Delete writes a new version without the value, or the map, at a path, and returns it.
// If there is none it writes nothing and returns the newest version. Errors are those of
// [Document.Put].
func (d *Document) Delete(ctx context.Context, path string, options ...WriteOption) (Version, error) {
	keys, err := splitPath(path)
	if err != nil {
		return Version{}, d.refusal(err)
	}
	return d.write(ctx, options, "", func(newest Version) (map[string]any, error) {
		if !remove(newest.Values, keys) {
			return nil, nil
		}
		return newest.Values, nil
	})
}

// Rollback writes a new version with the values that the version of that number has,
// and returns it. If that is the newest it writes nothing. Errors are those of
// [Document.Put]; it is NotFound if the version is no longer kept.
func (d *Document) Rollback(ctx context.Context, number uint64, options ...WriteOption) (Version, error) {
	note := fmt.Sprintf("rolled back to version %d", number)
	return d.write(ctx, options, note, func(newest Version) (map[string]any, error) {
		if number == newest.Number {
			return nil, nil
		}
		v, err := d.history.get(ctx, number)
		if err != nil {
			return nil, d.failure("rolling back", err)
		}
		return v.Values, nil
	})
}

// write writes what change makes of the newest version, which it may use up, until that
// is still the newest one when it is replaced. Without values nothing is written.
func (d *Document) write(ctx context.Context, options []WriteOption, note string, change func(newest Version) (map[string]any, error)) (Version, error) {
	r, err := newRemarks(d.host.Name(), options)
	if err != nil {
		return Version{}, err
	}
	if r.note == "" {
		r.note = note
	}
	for {
		newest, err := d.history.newest(ctx)
		if err != nil {
			return Version{}, d.failure("writing", err)
		}
		if r.at != nil && *r.at != newest.Revision {
			return Version{}, actor.Errorf(actor.Aborted, "config: document %q has changed: it is at revision %d (version %d by %s), not %d; read it, and decide anew: %w",
				d.history.document, newest.Revision, newest.Number, newest.Author, *r.at, persistence.ErrConflict)
		}
		values, err := change(newest)
		switch {
		case err != nil:
			return Version{}, err
		case values == nil:
			return newest, nil
		}
		next, value, err := d.next(r, values)
		if err != nil {
			return Version{}, d.refusal(err)
		}
		next.Number = newest.Number + 1
		next.Revision, err = d.history.add(ctx, newest, value, d.options.versions)
		switch {
		case err == nil:
			return next, nil
		case !errors.Is(err, persistence.ErrConflict):
			return Version{}, d.failure("writing", err)
		}
	}
}

// next returns what is to be written, also as the value of a record.
func (d *Document) next(r remarks, values map[string]any) (Version, []byte, error) {
	normal, err := normalize(values)
	if err != nil {
		return Version{}, nil, err
	}
	next := Version{Time: time.Now().UTC(), Author: r.author, Note: r.note, Values: normal}
	value, err := next.encode()
	if err == nil {
		err = d.check(cloneMap(normal))
	}
	return next, value, err
}

// check calls the function of [Check].
func (d *Document) check(values map[string]any) error {
	if d.options.check == nil {
		return nil
	}
	return contain.Call("the check", func() error { return d.options.check(values) })
}

// refusal is the error for what somebody wanted to write.
func (d *Document) refusal(err error) error {
	return actor.Errorf(actor.InvalidArgument, "config: document %q is left as it is: %w", d.history.document, err)
}

func (d *Document) failure(doing string, err error) error {
	return actor.Errorf(actor.CodeOf(err), "config: %s document %q: %w", doing, d.history.document, err)
}
