package mailbox

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// Task is what a Scheduler runs: usually the next turn of one mailbox.
type Task interface {
	// Run takes one turn. It may block. A task that has more to do than is fair
	// to the others returns early and schedules itself again.
	Run()
}

// SchedulerOption is an option of NewScheduler.
type SchedulerOption interface{ apply(*Scheduler) }

type schedulerOption func(*Scheduler)

func (o schedulerOption) apply(s *Scheduler) { o(s) }

// Runners sets how many turns are run at the same time as long as none of them
// blocks. The default, also for an n below 1, is GOMAXPROCS and at least 2.
func Runners(n int) SchedulerOption {
	return schedulerOption(func(s *Scheduler) {
		if n > 0 {
			s.base = n
		}
	})
}

// OnPanic sets the function that learns of a task's panic: the value and the
// stack. It is called in the goroutine of the task, several calls may run at the
// same time, and a panic of its own is ignored. Without it, panics are ignored.
func OnPanic(report func(value any, stack []byte)) SchedulerOption {
	return schedulerOption(func(s *Scheduler) { s.onPanic = report })
}

// Scheduler runs tasks in the order in which they are scheduled, on a small pool
// of goroutines, its runners. It is made by NewScheduler; all its methods may be
// called concurrently.
//
// The pool is elastic. Runners start on demand. A task that blocks keeps its
// runner, and when that has lasted for about a millisecond while others wait,
// more runners are started, so that blocked tasks never starve the others; if
// these block as well, twice as many follow. Runners that have been idle for some
// seconds end. An idle scheduler has no goroutine and no timer.
//
// A task that panics, or calls runtime.Goexit, disturbs no other.
type Scheduler struct {
	base    int
	onPanic func(any, []byte)

	mu       sync.Mutex
	queue    ring[Task]
	idle     []*runner // parked, the most recently used last
	live     int       // runners that have not ended
	coming   int       // runners on their way to the queue
	busy     int       // runners that are running a task
	stopping bool
	ended    bool          // done is closed
	done     chan struct{} // closed when all has ended after Stop

	watch   watch
	retirer retirer
}

// NewScheduler returns a scheduler that is ready for use. Call Stop to end it.
func NewScheduler(options ...SchedulerOption) *Scheduler {
	s := &Scheduler{
		base: max(2, runtime.GOMAXPROCS(0)),
		done: make(chan struct{}),
	}
	for _, o := range options {
		o.apply(s)
	}
	return s
}

// Schedule queues one turn of t and returns at once. It reports false, and t
// will not run, if Stop has been called. A task that is scheduled twice takes two
// turns, perhaps at the same time.
func (s *Scheduler) Schedule(t Task) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.queue.push(t)
	s.rouse()
	return true
}

// rouse sees to it that somebody comes for the waiting tasks: a runner that is
// on its way already, an idle one, a new one, or else the watch. A runner that
// leaves tasks behind rouses the next. s.mu is held.
func (s *Scheduler) rouse() {
	switch {
	case s.coming > 0:
	case len(s.idle) > 0:
		s.unpark()
	case s.live-s.watch.stuck < s.base:
		s.launch()
	default:
		s.armWatch()
	}
}

// Stop refuses new tasks, runs those that are scheduled, and waits until every
// runner has ended or ctx ends. The error then wraps context.Cause(ctx); stopping
// goes on, and Stop may be called again to wait on. A task that calls Stop waits
// for itself.
func (s *Scheduler) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for len(s.idle) > 0 {
		s.unpark()
	}
	s.checkDone()
	s.mu.Unlock()

	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return fmt.Errorf("mailbox: %d runners are still busy and %d tasks wait, call Stop again to wait on: %w",
		s.busy, s.queue.n, context.Cause(ctx))
}

// checkDone tells those who wait in Stop when everything has ended. s.mu is held.
func (s *Scheduler) checkDone() {
	if !s.stopping || s.ended || s.live > 0 || !s.disarmWatch() || !s.disarmRetirer() {
		return
	}
	s.ended = true
	close(s.done)
}
