package settings

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-playground/validator/v10"
)

// Live is settings that follow their sources. Its methods may be called concurrently.
type Live[T any] struct {
	current atomic.Pointer[snapshot[T]]

	plan     plan
	schema   *shape
	environ  map[string]string
	validate *validator.Validate
	trigger  chan struct{} // holds one if something may have changed
	last     *reader       // what was read last
	tried    *reader       // what was read last that was not as before

	stopping context.Context
	stop     context.CancelFunc
	working  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	first  *T
	status Status
}

// snapshot is the settings from one reload until the next. It is not changed.
type snapshot[T any] struct {
	value      *T
	read       *reader
	superseded chan struct{} // closed after the next one is there
}

// Get returns the settings as they are now: all of one reload. They are shared, and must
// not be changed. Call Get where they are used, and once for what must fit together.
func (l *Live[T]) Get() *T { return l.current.Load().value }

// Status is how following the sources goes.
type Status struct {
	// Reloads counts how often new settings were taken over. It does not count Load.
	Reloads uint64
	// Refusals counts how often new settings were refused.
	Refusals uint64
	// LoadedAt is when the current settings were read.
	LoadedAt time.Time
	// TriedAt is when the sources were last found to have changed.
	TriedAt time.Time
	// Err is why they were refused then. It is nil if they were not, and the settings
	// are what the sources say. It wraps an [Error].
	Err error
	// Optional is why optional sources cannot be read. What they last said is in force. It
	// is nil if all can be read. It wraps an [Error].
	Optional error
	// Restart is the keys with the tag reload:"restart" that have changed since Load.
	Restart []string
}

// Status returns how following the sources goes. The caller owns what it returns.
func (l *Live[T]) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	status := l.status
	status.Restart = append([]string(nil), status.Restart...)
	return status
}

// take makes s the settings.
func (l *Live[T]) take(now time.Time, s *snapshot[T]) {
	before := l.current.Swap(s)
	l.mu.Lock()
	refused := l.status.Err != nil
	l.status.LoadedAt, l.status.TriedAt, l.status.Err = now, now, nil
	if before == nil {
		l.first = s.value
		l.mu.Unlock()
		return
	}
	l.status.Reloads++
	waited := l.status.Restart
	l.status.Restart = l.schema.changed(l.first, s.value, func(p place) bool { return p.restart })
	waiting := l.status.Restart
	l.mu.Unlock()
	close(before.superseded)

	if keys := l.Changed(before.value, s.value); len(keys) > 0 {
		l.plan.logger.Info("settings changed", "keys", keys)
	} else if refused {
		l.plan.logger.Info("settings can be read again, and are as they were")
	}
	if len(waiting) > 0 && !slices.Equal(waiting, waited) {
		l.plan.logger.Warn("settings changed that need a restart", "keys", waiting)
	}
}

// refuse keeps the settings.
func (l *Live[T]) refuse(now time.Time, err error) {
	l.mu.Lock()
	l.status.TriedAt, l.status.Err = now, err
	l.status.Refusals++
	l.mu.Unlock()
	if l.current.Load() != nil {
		l.plan.logger.Error("new settings were refused, the last good ones stay", "error", err)
	}
}

// closeTimeout is how long Close waits for code that is not of this package.
const closeTimeout = 5 * time.Second

// Close stops following and watching; the last settings stay. It returns when all
// goroutines have ended, but does not wait longer than five seconds for a provider or
// a watcher that does not return; that is logged. It may be called more than once. A
// watcher must not call it, since it waits for that.
func (l *Live[T]) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.working.Wait()
	}()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		l.plan.logger.Error("a provider of settings or a watcher does not return, and goes on after Close")
	}
}

// work runs f in a goroutine that Close waits for. It reports false after Close.
func (l *Live[T]) work(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.working.Go(f)
	return true
}
