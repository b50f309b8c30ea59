package actor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Stop ends all actors: those at the top, when they are done with the message at
// hand, refuse new ones, handle what is in their mailboxes, and stop with their
// children. When ctx ends before that, the contexts of all handlers are cancelled,
// what still waits fails as soon as the handler before it returns, and Stop returns
// an error that names the actors whose handlers had not returned, with the message
// and for how long. It returns nil once every goroutine of the system has ended. It
// may be called again, but not by an actor.
func (s *System) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing, s.since = true, time.Now()
		s.ending.Store(true)
		if len(s.cells) == 0 {
			close(s.emptied)
		}
	}
	top := s.topLocked()
	s.mu.Unlock()
	for _, c := range top {
		c.process.Drain()
	}
	if !ends(ctx, s.emptied) {
		return s.abort(ctx)
	}
	s.cancel(Errorf(Unavailable, "the system has stopped"))
	worked := make(chan struct{})
	go func() {
		s.work.Wait()
		close(worked)
	}()
	if !ends(ctx, worked) {
		return s.late(ctx)
	}
	s.dead.close(s.log)
	return s.engine.Close(ctx)
}

// ends reports whether done is closed before ctx ends, or was closed when it has.
func ends(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func (s *System) topLocked() []*cell {
	var top []*cell
	for _, c := range s.cells {
		if c.parent == nil {
			top = append(top, c)
		}
	}
	return top
}

// abort stops without draining, and without waiting for handlers that do not
// watch their context.
func (s *System) abort(ctx context.Context) error {
	err := s.late(ctx)
	s.cancel(Errorf(Unavailable, "the system is stopping"))
	s.mu.RLock()
	cells := slices.Collect(maps.Values(s.cells))
	s.mu.RUnlock()
	for _, c := range cells {
		c.stop()
	}
	return err
}

// late says what has not ended, now that ctx has.
func (s *System) late(ctx context.Context) error {
	return Errorf(DeadlineExceeded, "the system did not stop in time: %w; %s", context.Cause(ctx), s.unfinished())
}

// unfinished names what runs, longest first; if nothing does, the actors that have
// messages left.
func (s *System) unfinished() string {
	s.mu.RLock()
	stopping := s.since
	cells := slices.Collect(maps.Values(s.cells))
	s.mu.RUnlock()
	busy := s.pipes.all()
	var waiting []string
	for _, c := range cells {
		if t, ok := c.task(stopping); ok {
			busy = append(busy, t)
		} else {
			waiting = append(waiting, c.known())
		}
	}
	if len(busy)+len(waiting) == 0 {
		return "no actor runs any more, and the last goroutines are about to end"
	}
	if len(busy) == 0 {
		slices.Sort(waiting)
		return "not at an end: " + strings.Join(few(waiting), ", ")
	}
	slices.SortFunc(busy, func(a, b task) int {
		return cmp.Or(a.began.Compare(b.began), strings.Compare(a.actor, b.actor))
	})
	var names []string
	for _, t := range busy {
		names = append(names, t.String())
	}
	return strings.Join(few(names), "; ") + "; make what takes long watch its context"
}

// few returns what fits in an error.
func few(names []string) []string {
	const most = 5
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return names
}

// task is code of the user that runs.
type task struct {
	actor  string // what users call it
	what   string // it does
	began  time.Time
	before bool // it began before that
}

// String tells it to the user.
func (t task) String() string {
	duration := time.Since(t.began).Round(time.Millisecond)
	if t.before {
		return fmt.Sprintf("%s %s for more than %v", t.actor, t.what, duration)
	}
	return fmt.Sprintf("%s %s for %v", t.actor, t.what, duration)
}

// task returns what the actor does in its turn, false if it has none. stopping is when
// actors began to note when they begin with a message.
func (c *cell) task(stopping time.Time) (task, bool) {
	doing := c.doing.Load()
	if doing == nil || !c.process.Runs() {
		return task{}, false
	}
	t := task{actor: c.known(), what: "has been busy with " + *doing, began: stopping, before: true}
	if began := c.began.Load(); began != nil {
		t.began, t.before = *began, false
	}
	return t, true
}

// known is what users call the actor.
func (c *cell) known() string {
	if c.def.known != "" {
		return c.def.known
	}
	return fmt.Sprintf("actor %q", c.path)
}

// begins notes when the actor begins with something, if somebody may want to know.
func (c *cell) begins() {
	if c.system.ending.Load() {
		now := time.Now()
		c.began.Store(&now)
	}
}

// call runs what is not a handler of the actor, but the user's too.
func (c *cell) call(what string, f func()) {
	before := c.doing.Swap(&what)
	defer c.doing.Store(before)
	c.begins()
	f()
}

// pipes is the work that actors have given to Pipe.
type pipes struct {
	mu      sync.Mutex
	running map[*task]struct{}
}

func (p *pipes) add(t *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		p.running = make(map[*task]struct{})
	}
	p.running[t] = struct{}{}
}

func (p *pipes) remove(t *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, t)
}

func (p *pipes) all() []task {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []task
	for t := range p.running {
		all = append(all, *t)
	}
	return all
}
