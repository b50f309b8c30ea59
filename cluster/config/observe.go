package config

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// Pauses before the store is asked again.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = time.Second
)

// Observe yields the newest version, which may be 0, and then every later one, in order.
// It does not end when the store cannot be reached or has another leader: it waits, and
// then yields what was written meanwhile. Whoever is slower than the history of the store
// is long is given the newest version next, and so is everybody when a back-up was
// restored, which may be of an older version.
//
// The loop ends with an error: that of ctx, persistence.ErrClosed when the node has left,
// or DataLoss for a record that is no version. It does not need the Document to be open.
func (d *Document) Observe(ctx context.Context) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		o := observer{
			history: d.history,
			yield:   func(v Version) bool { return yield(v, nil) },
			failed:  passes,
		}
		if err := o.run(ctx); err != nil {
			yield(Version{}, d.failure("observing", err))
		}
	}
}

// observer follows the versions of a document.
type observer struct {
	history history
	yield   func(Version) bool    // false ends the loop
	failed  func(error) (on bool) // whether to go on
	last    Version               // the last one that was yielded
	began   bool                  // there is nothing to tell if that is the newest
	left    bool                  // the loop has ended
}

// run returns nil if the loop was left.
func (o *observer) run(ctx context.Context) error {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		began := time.Now()
		err := o.observe(ctx)
		switch {
		case o.left:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !o.failed(err):
			return err
		}
		if !passes(err) {
			o.began = false // who was told of it is told when it is over
		}
		if time.Since(began) > maxRetry {
			wait = minRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// errAstray says that the newest version has to be read again, since somebody has deleted
// the one that was.
var errAstray = errors.New("the newest version is another")

// observe yields the newest version, if it is another than the last, and those that come.
func (o *observer) observe(ctx context.Context) error {
	after, err := persistence.Latest(ctx, o.history.store) // Current would read the whole history
	if err != nil {
		return err
	}
	newest, err := o.history.newest(ctx)
	if err != nil {
		return err
	}
	if (!o.began || newest.Revision != o.last.Revision) && !o.give(newest) {
		return nil
	}
	for changes, err := range o.history.store.Watch(ctx, o.history.prefix(), after) {
		if err != nil {
			return err
		}
		if changes.Revision <= o.last.Revision { // read already
			continue
		}
		if err := o.apply(changes); err != nil || o.left {
			return err
		}
	}
	return errAstray
}

// apply yields what a transaction has written.
func (o *observer) apply(changes persistence.Changes) error {
	moved := false
	for _, c := range changes.Changes {
		if c.Delete {
			moved = moved || c.Key == o.history.key(o.last.Number)
			continue
		}
		v, err := o.history.decode(c.Key, changes.Revision, c.Value)
		if err != nil {
			return err
		}
		if !o.give(v) {
			return nil
		}
		moved = false
	}
	if moved {
		return errAstray
	}
	return nil
}

func (o *observer) give(v Version) bool {
	o.last, o.began = v, true
	o.left = !o.yield(v)
	return !o.left
}

// passes reports whether an error may go by itself, without a new version.
func passes(err error) bool {
	switch actor.CodeOf(err) {
	case actor.Unavailable, actor.DeadlineExceeded:
		return !errors.Is(err, persistence.ErrClosed)
	}
	return errors.Is(err, persistence.ErrHistoryGone) || errors.Is(err, errAstray)
}
