package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor/internal/engine"
	"github.com/troupe-go/troupe/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a behaviour that records what is called.
type journal struct {
	calls    []string
	decision engine.Decision
	failed   any
}

func (j *journal) note(call string) { j.calls = append(j.calls, call) }

func (j *journal) Started() { j.note("started") }

func (j *journal) Receive(m func()) {
	j.note("receive")
	m()
}

func (j *journal) Failed(value any, _ []byte) {
	j.note("failed")
	j.failed = value
}

func (j *journal) Supervise(any) engine.Decision { return j.decision }
func (j *journal) Restarting()                   { j.note("restarting") }

func (j *journal) Stopping(rest []func()) {
	j.note("stopping")
	for range rest {
		j.note("rest")
	}
}

func (j *journal) Stopped()          { j.note("stopped") }
func (j *journal) ChildEnded(string) { j.note("child ended") }

func newProcess(e *engine.Engine, name string, j *journal) *engine.Process[func()] {
	return engine.NewProcess(e, engine.Config[func()]{Name: name, Queue: mailbox.NewUnbounded[func()](), Behavior: j})
}

func run(t *testing.T, f func(*testing.T, *engine.Engine)) {
	synctest.Test(t, func(t *testing.T) {
		e := engine.New()
		f(t, e)
		for range 2 { // it is idempotent
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

func (j *journal) expect(t *testing.T, calls ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(j.calls, calls) {
		t.Errorf("got %q, want %q", j.calls, calls)
	}
}

func post(t *testing.T, p *engine.Process[func()], m func()) {
	t.Helper()
	if err := p.TryPost(m); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesWaitForTheLaunch(t *testing.T) {
	run(t, func(t *testing.T, e *engine.Engine) {
		j := &journal{}
		p := newProcess(e, "p", j)
		post(t, p, func() {})
		p.Drain() // and so does this
		j.expect(t)
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
		j.expect(t, "started", "receive", "stopping", "stopped")
		if err := p.TryPost(func() {}); !errors.Is(err, mailbox.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestNamesAreUnique(t *testing.T) {
	run(t, func(t *testing.T, e *engine.Engine) {
		p := newProcess(e, "p", &journal{})
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
		if err := newProcess(e, "p", &journal{}).Launch(); err == nil {
			t.Error("two processes have one name")
		}
		p.Stop()
		synctest.Wait()
		again := newProcess(e, "p", &journal{})
		if err := again.Launch(); err != nil {
			t.Error(err)
		}
		again.Stop()
	})
}

func TestWhatWaitsWhenAFailedProcessEnds(t *testing.T) {
	run(t, func(t *testing.T, e *engine.Engine) {
		j := &journal{decision: engine.Decision{Directive: engine.Stop}}
		p := newProcess(e, "p", j)
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
		post(t, p, func() { panic("no") })
		post(t, p, func() {})
		j.expect(t, "started", "receive", "failed", "stopping", "rest", "stopped")
		if j.failed != "no" {
			t.Error(j.failed)
		}
	})
}

func TestInterruptsOvertakeMessagesAndWaitForAFailedProcess(t *testing.T) {
	run(t, func(t *testing.T, e *engine.Engine) {
		j := &journal{}
		p := newProcess(e, "p", j)
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
		post(t, p, func() {
			p.Interrupt(func() { j.note("interrupt") })
			panic("no")
		})
		post(t, p, func() {})
		j.expect(t, "started", "receive", "failed", "restarting", "started", "interrupt", "receive")
		p.Stop()
		p.Interrupt(func() { j.note("too late") })
		synctest.Wait()
	})
}

func TestWatchersAreCalledOnce(t *testing.T) {
	var p *engine.Process[func()]
	called, late := 0, false
	ended := func(l bool) { called++; late = l }
	run(t, func(t *testing.T, e *engine.Engine) {
		p = newProcess(e, "p", &journal{})
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
		p.WatchFunc(ended)
		p.WatchFunc(ended)()
		p.Stop()
		p.Stop()
		synctest.Wait()
		if called != 1 || late {
			t.Errorf("called %d times before the engine was closed, want 1; late: %v", called, late)
		}
	})
	p.WatchFunc(ended)
	if called != 2 || !late {
		t.Errorf("called %d times, want 2, late: a process that has ended says so at once, also behind a closed engine", called)
	}
}
