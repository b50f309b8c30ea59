package actor_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Lab is the protocol of subjects: their messages say what to do.
type Lab struct{}

// Run is told.
type Run struct {
	actor.Cast[Lab]
	Do func(*actor.Context) error
}

// Compute is asked.
type Compute struct {
	actor.Call[Lab, any]
	Do func(*actor.Context) (any, error)
}

// What they do cannot travel, but they say otherwise, so that subjects are not LocalOnly.
func (Run) MarshalBinary() ([]byte, error)     { return nil, errStaysHere }
func (*Run) UnmarshalBinary([]byte) error      { return errStaysHere }
func (Run) MarshalText() ([]byte, error)       { return nil, errStaysHere }
func (*Run) UnmarshalText([]byte) error        { return errStaysHere }
func (Compute) MarshalBinary() ([]byte, error) { return nil, errStaysHere }
func (*Compute) UnmarshalBinary([]byte) error  { return errStaysHere }
func (Compute) MarshalText() ([]byte, error)   { return nil, errStaysHere }
func (*Compute) UnmarshalText([]byte) error    { return errStaysHere }

var errStaysHere = errors.New("it stays here")

// Note is a plain message, which the subject hands to its script.
type Note struct {
	actor.Cast[Lab]
	N int
}

// Unheard has no handler.
type Unheard struct{ actor.Cast[Lab] }

// UnheardCall has no handler.
type UnheardCall struct{ actor.Call[Lab, int] }

// script is what a subject does beside its messages.
type script struct {
	create     func()
	started    func(*actor.Context) error
	stopped    func(*actor.Context)
	terminated func(*actor.Context, actor.Terminated)
	note       func(*actor.Context, Note) error
	options    []actor.DefineOption
}

// subject counts what one incarnation has handled.
type subject struct {
	script  script
	handled int
}

func (s *subject) Started(ctx *actor.Context) error {
	if s.script.started == nil {
		return nil
	}
	return s.script.started(ctx)
}

func (s *subject) Stopped(ctx *actor.Context) {
	if s.script.stopped != nil {
		s.script.stopped(ctx)
	}
}

func (s *subject) Terminated(ctx *actor.Context, t actor.Terminated) {
	if s.script.terminated != nil {
		s.script.terminated(ctx, t)
	}
}

func (s *subject) run(ctx *actor.Context, m Run) error {
	s.handled++
	return m.Do(ctx)
}

func (s *subject) compute(ctx *actor.Context, m Compute) (any, error) {
	s.handled++
	return m.Do(ctx)
}

func (s *subject) note(ctx *actor.Context, m Note) error {
	s.handled++
	return s.script.note(ctx, m)
}

// Handled asks how much the incarnation has handled before.
type Handled struct{ actor.Call[Lab, int] }

func (s *subject) count(*actor.Context, Handled) (int, error) { return s.handled, nil }

// define returns the definition of a subject.
func define(s script) actor.Definition[Lab] {
	return actor.Define("subject", func() *subject {
		if s.create != nil {
			s.create()
		}
		return &subject{script: s}
	},
		actor.OnCast((*subject).run),
		actor.OnCall((*subject).compute),
		actor.OnCast((*subject).note),
		actor.OnCall((*subject).count),
	).With(s.options...)
}

// newSystem returns a silent system that must stop cleanly at the end.
func newSystem(t testing.TB, options ...actor.SystemOption) *actor.System {
	t.Helper()
	options = append([]actor.SystemOption{actor.WithLogger(slog.New(slog.DiscardHandler))}, options...)
	s := actor.NewSystem(options...)
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error("stop:", err)
		}
	})
	return s
}

func spawn(t testing.TB, by actor.Spawner, s script, options ...actor.SpawnOption) actor.Ref[Lab] {
	t.Helper()
	ref, err := actor.Spawn(by, define(s), options...)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func tell[M actor.Message[Lab]](t testing.TB, ref actor.Ref[Lab], m M) {
	t.Helper()
	if err := actor.Tell(ref, m); err != nil {
		t.Fatal(err)
	}
}

func run(t testing.TB, ref actor.Ref[Lab], do func(*actor.Context) error) {
	t.Helper()
	tell(t, ref, Run{Do: do})
}

// do runs f in the actor and waits for its end.
func do(t testing.TB, ref actor.Ref[Lab], f func(*actor.Context) error) {
	t.Helper()
	if _, err := compute(ref, func(ctx *actor.Context) (any, error) { return nil, f(ctx) }); err != nil {
		t.Fatal(err)
	}
}

func compute(ref actor.Ref[Lab], do func(*actor.Context) (any, error)) (any, error) {
	return actor.Ask(context.Background(), ref, Compute{Do: do})
}

func crash(ref actor.Ref[Lab]) error {
	_, err := compute(ref, func(*actor.Context) (any, error) { panic("crash") })
	return err
}

func handled(t testing.TB, ref actor.Ref[Lab]) int {
	t.Helper()
	n, err := actor.Ask(context.Background(), ref, Handled{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// block holds the actor in a handler until the returned function is called.
func block(t testing.TB, ref actor.Ref[Lab]) (release func()) {
	t.Helper()
	entered, released := make(chan struct{}), make(chan struct{})
	run(t, ref, func(*actor.Context) error {
		close(entered)
		<-released
		return nil
	})
	<-entered
	return sync.OnceFunc(func() { close(released) })
}

// elapse waits for a while in the time of a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

// letters records dead letters.
type letters struct {
	mu  sync.Mutex
	all []actor.DeadLetter
}

func (l *letters) option() actor.SystemOption {
	return actor.WithDeadLetters(func(d actor.DeadLetter) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, d)
	})
}

func (l *letters) get() []actor.DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]actor.DeadLetter(nil), l.all...)
}

// codeIs fails the test unless err is an *actor.Error with that code.
func codeIs(t testing.TB, err error, code actor.Code) *actor.Error {
	t.Helper()
	e, ok := err.(*actor.Error)
	if !ok || e == nil || e.Code != code {
		t.Fatalf("got the error %v (%T), want an *actor.Error with the code %q", err, err, code)
	}
	return e
}
