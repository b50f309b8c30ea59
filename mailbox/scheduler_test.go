package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/mailbox"
)

// taskFunc is a function as a Task.
type taskFunc func()

func (f taskFunc) Run() { f() }

// newScheduler returns a scheduler that is stopped at the end of the test.
func newScheduler(t *testing.T, options ...mailbox.SchedulerOption) *mailbox.Scheduler {
	s := mailbox.NewScheduler(options...)
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop stops s without a limit of time.
func stop(t *testing.T, s *mailbox.Scheduler) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("Stop = %v", err)
	}
}

func schedule(t *testing.T, s *mailbox.Scheduler, f func()) {
	t.Helper()
	if !s.Schedule(taskFunc(f)) {
		t.Error("Schedule refused a task")
	}
}

func TestTasksRunInTheOrderOfTheirScheduling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, mailbox.Runners(1))
		var order []int
		for i := range 100 {
			schedule(t, s, func() { order = append(order, i) })
		}
		synctest.Wait()
		if len(order) != 100 || !slices.IsSorted(order) {
			t.Errorf("tasks ran in the order %v", order)
		}
	})
}

func TestTasksThatGoOnAreTreatedFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, mailbox.Runners(1))
		var order strings.Builder
		var turn func(name string, left int) func()
		turn = func(name string, left int) func() {
			return func() {
				order.WriteString(name)
				if left > 1 {
					schedule(t, s, turn(name, left-1))
				}
			}
		}
		schedule(t, s, func() { // while this runs, both queue up
			schedule(t, s, turn("a", 4))
			schedule(t, s, turn("b", 4))
		})
		synctest.Wait()
		if got := order.String(); got != "abababab" {
			t.Errorf("turns came as %s", got)
		}
	})
}

func TestEveryScheduledTaskRunsOnce(t *testing.T) {
	s := newScheduler(t)
	const schedulers, each = 8, 2000
	var runs [schedulers * each]atomic.Int32
	var running sync.WaitGroup
	for p := range schedulers {
		running.Go(func() {
			for i := range each {
				schedule(t, s, func() { runs[p*each+i].Add(1) })
			}
		})
	}
	running.Wait()
	stop(t, s)
	for i := range runs {
		if n := runs[i].Load(); n != 1 {
			t.Fatalf("task %d ran %d times", i, n)
		}
	}
}

func TestBlockedTasksDoNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, mailbox.Runners(2))
		release := make(chan struct{})
		for range 2 {
			schedule(t, s, func() { <-release })
		}
		synctest.Wait()
		start := time.Now()
		ran := make(chan time.Duration)
		schedule(t, s, func() { ran <- time.Since(start) })
		if delay := <-ran; delay > time.Millisecond {
			t.Errorf("the task waited %v behind the blocked ones", delay)
		}
		close(release)
	})
}

func TestTasksThatWaitForLaterTasksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, mailbox.Runners(2))
		var ask func(depth int)
		ask = func(depth int) {
			if depth == 0 {
				return
			}
			reply := make(chan struct{})
			schedule(t, s, func() { ask(depth - 1); close(reply) })
			<-reply
		}
		start := time.Now()
		ask(100)
		if took := time.Since(start); took > 50*time.Millisecond {
			t.Errorf("100 nested requests took %v", took)
		}
		start = time.Now()
		ask(100)
		if took := time.Since(start); took > 0 {
			t.Errorf("with as many idle runners 100 nested requests took %v", took)
		}
	})
}

func TestThousandsOfBlockingTasksRunAtOnce(t *testing.T) {
	const n = 5000 // the race detector ends a process with 8128 goroutines
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, mailbox.Runners(2))
		start := time.Now()
		var running sync.WaitGroup
		running.Add(n)
		release := make(chan struct{})
		for range n {
			schedule(t, s, func() { running.Done(); <-release })
		}
		running.Wait()
		if took := time.Since(start); took > 15*time.Millisecond {
			t.Errorf("all %d tasks were running only after %v", n, took)
		}
		close(release)
	})
}

func TestPanicIsReportedAndDisturbsNoOther(t *testing.T) {
	type report struct {
		value any
		stack []byte
	}
	reports := make(chan report, 1)
	s := newScheduler(t, mailbox.Runners(1), mailbox.OnPanic(func(value any, stack []byte) {
		reports <- report{value, stack}
		panic("a panic of the hook itself")
	}))
	schedule(t, s, explode)
	ran := make(chan struct{})
	schedule(t, s, func() { close(ran) })
	<-ran
	got := <-reports
	if got.value != "explosion" {
		t.Errorf("value = %v", got.value)
	}
	if !bytes.Contains(got.stack, []byte("explode")) {
		t.Errorf("the stack does not name the culprit:\n%s", got.stack)
	}
}

func explode() { panic("explosion") }

func TestPanicWithoutAHookIsContained(t *testing.T) {
	s := newScheduler(t, mailbox.Runners(1))
	schedule(t, s, explode)
	if !s.Schedule(nil) { // a nil task panics when it is run
		t.Error("Schedule refused the nil task")
	}
	ran := make(chan struct{})
	schedule(t, s, func() { close(ran) })
	<-ran
}

func TestGoexitCostsNoRunner(t *testing.T) {
	s := newScheduler(t, mailbox.Runners(1))
	for range 10 {
		schedule(t, s, runtime.Goexit)
	}
	ran := make(chan struct{})
	schedule(t, s, func() { close(ran) })
	<-ran
}

func TestStopRunsWhatIsScheduledAndRefusesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mailbox.NewScheduler(mailbox.Runners(2))
		var ran atomic.Int32
		release := make(chan struct{})
		for range 100 {
			schedule(t, s, func() { <-release; ran.Add(1) })
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			stop(t, s)
		}()
		synctest.Wait()
		if s.Schedule(taskFunc(func() { t.Error("ran after Stop") })) {
			t.Error("Schedule took a task after Stop")
		}
		close(release)
		<-stopped
		if n := ran.Load(); n != 100 {
			t.Errorf("%d of 100 tasks ran", n)
		}
	})
}

func TestStopMayBeCalledAgainAndConcurrently(t *testing.T) {
	stop(t, newScheduler(t)) // never used; newScheduler stops it again

	s := newScheduler(t)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for s.Schedule(taskFunc(runtime.Gosched)) {
			}
		})
		running.Go(func() { stop(t, s) })
	}
	running.Wait()
}

func TestStopGivesUpWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, mailbox.Runners(1))
		release := make(chan struct{})
		for range 3 {
			schedule(t, s, func() { <-release })
		}
		reason := errors.New("reason")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, reason)
		defer cancel()
		err := s.Stop(ctx)
		if !errors.Is(err, reason) {
			t.Errorf("Stop = %v, want the cause of the context", err)
		}
		if err == nil || !strings.Contains(err.Error(), "3 runners are still busy") {
			t.Errorf("Stop = %v, want the number of busy runners", err)
		}
		close(release) // the cleanup stops again, with success
	})
}

func TestOnRunnerKnowsTheGoroutineOfATask(t *testing.T) {
	s := newScheduler(t)
	// deep asks from below n further frames.
	var deep func(n int) bool
	deep = func(n int) bool {
		if n == 0 {
			return mailbox.OnRunner()
		}
		return deep(n - 1)
	}
	if mailbox.OnRunner() {
		t.Error("a test is no task")
	}
	for n := range 200 {
		got := make(chan bool, 2)
		schedule(t, s, func() {
			got <- deep(n)
			var started sync.WaitGroup
			started.Go(func() { got <- deep(n) })
			started.Wait()
		})
		if in, beside := <-got, <-got; !in || beside {
			t.Fatalf("%d frames deep: %v in the task, %v in what it has started", n, in, beside)
		}
	}
	got := make(chan bool)
	schedule(t, s, runtime.Goexit)
	schedule(t, s, func() { got <- mailbox.OnRunner() })
	if !<-got {
		t.Error("not after a task that has left")
	}
}
