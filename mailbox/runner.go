package mailbox

import (
	"runtime"
	"runtime/debug"
)

// runner is one goroutine of a Scheduler.
type runner struct {
	wake chan struct{} // takes one token when the runner leaves the idle list

	// Guarded by Scheduler.mu.
	running bool   // between the begin and the end of a turn
	turn    uint64 // the number of that turn
	retired bool   // to end unless there is work
}

// launch starts a runner. s.mu is held.
func (s *Scheduler) launch() {
	s.live++
	s.coming++
	go s.work(&runner{wake: make(chan struct{}, 1)})
}

// unpark calls the most recently used idle runner, whose stack is warm, to the
// queue. s.mu is held.
func (s *Scheduler) unpark() {
	last := len(s.idle) - 1
	r := s.idle[last]
	s.idle[last] = nil
	s.idle = s.idle[:last]
	s.retirer.lowest = min(s.retirer.lowest, last)
	s.coming++
	r.wake <- struct{}{}
}

// work runs tasks until the runner has to end.
func (s *Scheduler) work(r *runner) {
	ended := false
	defer func() {
		if !ended { // a task called runtime.Goexit: go on in a new goroutine
			go s.work(r)
		}
	}()
	for {
		t, ok := s.next(r)
		if !ok {
			ended = true
			return
		}
		s.run(t)
	}
}

// next ends the turn of r, waits for a task and begins its turn. It reports false
// when r has to end.
func (s *Scheduler) next(r *runner) (Task, bool) {
	s.mu.Lock()
	if r.running {
		r.running = false
		s.busy--
		s.watch.turnEnded(r.turn)
	} else {
		s.coming--
	}
	if s.queue.n == 0 {
		// The answer to what was just done often brings the next task. Letting
		// others run first, which saves a park and a wake, makes a request from
		// outside about a quarter faster.
		s.coming++
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		s.coming--
	}
	for s.queue.n == 0 {
		if s.stopping || r.retired {
			s.live--
			s.checkDone()
			s.mu.Unlock()
			return nil, false
		}
		s.idle = append(s.idle, r)
		s.armRetirer()
		s.mu.Unlock()
		<-r.wake
		s.mu.Lock()
		s.coming--
	}
	t, _ := s.queue.pop()
	r.running, r.retired = true, false
	r.turn = s.watch.turnBegan()
	s.busy++
	if s.queue.n > 0 {
		s.rouse()
	}
	s.mu.Unlock()
	return t, true
}

// run runs one turn of t and contains its panic.
func (s *Scheduler) run(t Task) {
	defer func() {
		v := recover()
		if v == nil || s.onPanic == nil {
			return
		}
		defer func() { _ = recover() }()
		s.onPanic(v, debug.Stack())
	}()
	t.Run()
}

// OnRunner reports whether it is called by a [Task], however deep, in the goroutine that
// runs the task: not by goroutines that a task has started. It walks the stack, which
// takes about a microsecond.
func OnRunner() bool {
	var few [64]uintptr
	pcs := few[:]
	n := runtime.Callers(0, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 4*len(pcs))
		n = runtime.Callers(0, pcs)
	}
	// The outermost is runtime.goexit, which has started what comes next.
	if n < 2 {
		return false
	}
	f := runtime.FuncForPC(pcs[n-2])
	return f != nil && f.Name() == runnerName
}

// runnerName is the function of a runner's goroutine.
const runnerName = "github.com/troupe-go/troupe/mailbox.(*Scheduler).work"
