package settings

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	quiet      = 100 * time.Millisecond // without a change, before the sources are read
	maxUnquiet = time.Second            // after the first change, before they are read in any case
	recheck    = 10 * time.Second       // for changes that were not notified
	minRetry   = 500 * time.Millisecond // after a source that cannot be read
	maxRetry   = 30 * time.Second
)

// start follows the sources.
func (l *Live[T]) start() {
	for _, s := range l.plan.sources {
		if t, optional := s.(*tolerated); optional {
			s = t.layered
		}
		p, ok := s.(provider)
		if w, watched := p.from.(watcher); ok && watched {
			l.work(func() { l.followProvider(p.name, w) })
		}
	}
	var files *notifier
	if l.plan.onDisk && l.plan.polling == 0 {
		var err error
		if files, err = newNotifier(l.poke); err != nil {
			l.plan.logger.Warn("changes of settings files are not notified and will be looked for", "error", err)
			l.plan.polling = time.Second
		}
	}
	l.work(func() { l.follow(files) })
}

// poke says that something may have changed.
func (l *Live[T]) poke() {
	select {
	case l.trigger <- struct{}{}:
	default:
	}
}

func (l *Live[T]) follow(files *notifier) {
	if files != nil {
		defer files.close()
	}
	l.poke() // what changed before it was followed
	failures := 0
	for {
		timer := time.NewTimer(l.pause(failures))
		select {
		case <-l.stopping.Done():
			timer.Stop()
			return
		case <-l.trigger:
			timer.Stop()
			l.settle()
		case <-timer.C:
		}
		if l.stopping.Err() != nil {
			return
		}
		err := l.reload()
		if files != nil && files.follow(l.last.files, l.last.folders, l.plan.logger) {
			l.poke() // what changed before these were followed
		}
		failures++
		if !errors.Is(err, Unreadable) && !errors.Is(err, BadReference) && len(l.last.tolerated) == 0 {
			failures = 0
		}
	}
}

// pause returns how long to wait for a notification, at most.
func (l *Live[T]) pause(failures int) time.Duration {
	pause := recheck
	switch {
	case l.plan.polling > 0:
		pause = l.plan.polling
	case !l.plan.onDisk:
		pause = 1<<63 - 1
	}
	if failures > 0 {
		pause = min(pause, backOff(failures))
	}
	return pause
}

// backOff returns how long to wait after failures in a row.
func backOff(failures int) time.Duration {
	return min(maxRetry, minRetry<<min(failures-1, 10))
}

// settle waits until a burst of changes is over.
func (l *Live[T]) settle() {
	limit := time.NewTimer(maxUnquiet)
	defer limit.Stop()
	for {
		calm := time.NewTimer(quiet)
		select {
		case <-l.trigger:
			calm.Stop()
			continue
		case <-calm.C:
		case <-limit.C:
			calm.Stop()
		case <-l.stopping.Done():
			calm.Stop()
		}
		return
	}
}

// followProvider watches a provider until Close.
func (l *Live[T]) followProvider(name string, w watcher) {
	for failures := 1; ; failures++ {
		err := l.watchProvider(w)
		if l.stopping.Err() != nil {
			return
		}
		l.plan.logger.Warn("a provider of settings cannot be watched, and will be again", "source", name, "error", err)
		l.poke()
		select {
		case <-time.After(backOff(failures)):
		case <-l.stopping.Done():
			return
		}
	}
}

// watchProvider watches until there is an error, or Close.
func (l *Live[T]) watchProvider(w watcher) error {
	told := make(chan error, 1)
	returned := make(chan error, 1)
	go func() {
		returned <- guard("Watch", func() error {
			return w.Watch(func(_ any, err error) {
				if err != nil {
					select {
					case told <- err:
					default:
					}
				}
				l.poke()
			})
		})
	}()
	for watching := true; ; {
		var err error
		select {
		case err = <-returned:
			if watching = false; err != nil {
				return err // it did not begin, so that there is nothing to end
			}
			l.poke() // what changed before it was watched
			continue
		case err = <-told:
		case <-l.stopping.Done():
			err = context.Cause(l.stopping)
		}
		if u, ok := w.(unwatcher); ok {
			if failed := guard("Unwatch", u.Unwatch); failed != nil {
				err = fmt.Errorf("%w; Unwatch: %w", err, failed)
			}
		}
		if watching {
			<-returned
		}
		return err
	}
}
