package actor_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

// eachFailure runs f, in the time of a bubble, for both ways in which code can leave.
func eachFailure(t *testing.T, f func(t *testing.T, fail func())) {
	t.Helper()
	for name, fail := range map[string]func(){
		"panic":          func() { panic("no coffee") },
		"runtime.Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, fail) }) })
	}
}

// ask asks in a goroutine of its own, so that one that leaves does not end the test, and
// fails the test if there is no answer at once.
func askAtOnce(t *testing.T, ref actor.Ref[Lab], m Handled) (n int, err error) {
	t.Helper()
	start, answered := time.Now(), false
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		n, err = actor.Ask(ctx, ref, m)
		answered = true
	}()
	<-done
	if !answered || time.Since(start) != 0 {
		t.Fatalf("the answer %v, %v came after %v", n, err, time.Since(start))
	}
	return n, err
}

func TestAGuardThatFails(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		var failing atomic.Bool
		var dead letters
		guard := actor.Guard(func() error {
			if failing.Load() {
				fail()
			}
			return nil
		})
		ref := spawn(t, newSystem(t, dead.option()), script{
			note:    func(*actor.Context, Note) error { return nil },
			options: []actor.DefineOption{guard},
		})
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, time.Second, Note{N: 2})
			return nil
		})
		failing.Store(true)
		for range 3 {
			_, err := askAtOnce(t, ref, Handled{})
			if e := codeIs(t, err, actor.Internal); !e.NotRun {
				t.Error("it did not run:", err)
			}
		}
		tell(t, ref, Note{N: 1})
		elapse(2 * time.Second)
		synctest.Wait()
		if all := dead.get(); len(all) != 2 || all[0].Reason.Code != actor.Internal || all[1].Message != (Note{N: 2}) {
			t.Errorf("%+v", all)
		}
		failing.Store(false)
		if n, err := askAtOnce(t, ref, Handled{}); n != 1 || err != nil {
			t.Errorf("the actor must be as it was, has handled %d: %v", n, err)
		}
	})
}

func TestADecisionThatFailsStopsTheActor(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		ref := spawn(t, newSystem(t), script{options: []actor.DefineOption{
			actor.Supervised(actor.Supervision{Decide: func(any) actor.Directive { fail(); return actor.Resume }}),
		}})
		release := block(t, ref)
		waiting := make(chan error, 1)
		run(t, ref, func(*actor.Context) error { panic("no") })
		go func() {
			_, err := actor.Ask(context.Background(), ref, Handled{})
			waiting <- err
		}()
		synctest.Wait()
		release()
		codeIs(t, <-waiting, actor.Unavailable)
		_, err := askAtOnce(t, ref, Handled{})
		codeIs(t, err, actor.NotFound)
	})
}

func TestAStartThatFails(t *testing.T) {
	for name, build := range map[string]func(fail func()) script{
		"create": func(fail func()) script { return script{create: fail} },
		"Started": func(fail func()) script {
			return script{started: func(*actor.Context) error { fail(); return nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachFailure(t, func(t *testing.T, fail func()) {
				left := 1
				once := build(func() {
					if left--; left >= 0 {
						fail()
					}
				})
				ref := spawn(t, newSystem(t), once)
				if _, err := askAtOnce(t, ref, Handled{}); err != nil {
					t.Error("it is started again at once, and what waited is handled:", err)
				}
				never := build(fail)
				never.options = []actor.DefineOption{actor.Supervised(actor.Supervision{Decide: func(any) actor.Directive { return actor.Stop }})}
				ref = spawn(t, newSystem(t), never)
				_, err := askAtOnce(t, ref, Handled{})
				if e := actor.AsError(err); !e.NotRun || e.Code != actor.Unavailable && e.Code != actor.NotFound {
					t.Error(err)
				}
			})
		})
	}
}

func TestAStoppedMethodThatFailsHarmsNobody(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		system := newSystem(t)
		ref := spawn(t, system, script{stopped: func(*actor.Context) { fail() }})
		codeIs(t, crash(ref), actor.Internal)
		if _, err := askAtOnce(t, ref, Handled{}); err != nil {
			t.Error(err)
		}
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Error(err)
		}
	})
}

func TestATerminatedMethodThatFailsIsAFailureOfTheWatcher(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		system := newSystem(t)
		watched := spawn(t, system, script{}, actor.WithName("watched"))
		ref := spawn(t, system, script{terminated: func(*actor.Context, actor.Terminated) { fail() }})
		do(t, ref, func(ctx *actor.Context) error { return ctx.Watch(watched) })
		if err := system.StopActor(t.Context(), watched); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n, err := askAtOnce(t, ref, Handled{}); n != 0 || err != nil {
			t.Errorf("it must be a fresh value, has handled %d: %v", n, err)
		}
	})
}

func TestAWatchCallbackThatFailsHarmsNobody(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		told := 0
		for _, ended := range []func(error){func(error) { told++ }, func(error) { fail() }, func(error) { told++ }, func(error) { fail() }} {
			if _, err := ref.Address().Recipient().Watch(ended); err != nil {
				t.Fatal(err)
			}
		}
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if told != 2 {
			t.Errorf("%d watchers were told, want 2", told)
		}
		if _, err := ref.Address().Recipient().Watch(func(error) { told++; fail() }); err != nil || told != 3 {
			t.Error("told at once:", told, err)
		}
		again := spawn(t, system, script{}) // its name is free
		handled(t, again)
	})
}

func TestAHandlerOfDeadLettersThatFailsHarmsNobody(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		system := newSystem(t, actor.WithDeadLetters(func(actor.DeadLetter) { fail() }))
		ref := spawn(t, system, script{note: func(*actor.Context, Note) error { return nil }})
		tell(t, ref, Unheard{})
		handled(t, ref)
		release := block(t, ref)
		tell(t, ref, Note{})
		waiting := make(chan error, 1)
		go func() {
			_, err := actor.Ask(context.Background(), ref, Handled{})
			waiting <- err
		}()
		synctest.Wait()
		go func() { _ = system.StopActor(context.Background(), ref) }()
		synctest.Wait()
		release()
		codeIs(t, <-waiting, actor.Unavailable)
	})
}

func TestAMailboxFunctionThatFailsFailsSpawn(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		system := newSystem(t)
		made := make(chan error, 1)
		go func() {
			_, err := actor.Spawn(system, define(script{options: []actor.DefineOption{
				actor.Mailbox(func(func(actor.Envelope)) mailbox.Queue[actor.Envelope] { fail(); return nil }),
			}}))
			made <- err
		}()
		synctest.Wait()
		select {
		case err := <-made:
			codeIs(t, err, actor.Internal)
		default:
			t.Fatal("Spawn did not return")
		}
		if s := system.Stats(); s.Actors != 0 {
			t.Error(s)
		}
	})
}

// rude is a queue that panics where it is pushed to, after the first few.
type rude struct {
	mailbox.Queue[actor.Envelope]
	polite *atomic.Int32
}

func (q rude) mind() {
	if q.polite.Add(-1) < 0 {
		panic("no coffee")
	}
}

func (q rude) TryPush(e actor.Envelope) error { q.mind(); return q.Queue.TryPush(e) }

func (q rude) Push(ctx context.Context, e actor.Envelope) error {
	q.mind()
	return q.Queue.Push(ctx, e)
}

func TestAQueueThatPanicsRefusesWhatIsPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		var got []int
		polite := new(atomic.Int32)
		polite.Store(1)
		ref := spawn(t, newSystem(t, dead.option()), script{
			note: func(_ *actor.Context, m Note) error { got = append(got, m.N); return nil },
			options: []actor.DefineOption{actor.Mailbox(func(func(actor.Envelope)) mailbox.Queue[actor.Envelope] {
				return rude{mailbox.NewUnbounded[actor.Envelope](), polite}
			})},
		})
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, time.Second, Note{N: 1})
			actor.Every(ctx, 2*time.Second, Note{N: 2})
			actor.Pipe(ctx, func(context.Context) Note { return Note{N: 3} })
			return nil
		})
		elapse(3 * time.Second)
		for _, err := range []error{
			actor.Tell(ref, Note{N: 4}), actor.TellContext(t.Context(), ref, Note{N: 5}), crash(ref),
		} {
			if e := actor.AsError(err); e == nil || !e.NotRun || !strings.Contains(e.Message, "no coffee") {
				t.Error(err)
			}
		}
		if all := dead.get(); len(all) != 3 {
			t.Errorf("%+v", all)
		}
		polite.Store(10)
		elapse(2 * time.Second)
		synctest.Wait()
		if len(got) != 1 || got[0] != 2 {
			t.Errorf("%v were handled, want the next of Every", got)
		}
	})
}

// fragile cannot be encoded or decoded.
type fragile struct {
	fail func()
	_    int // so that it is not of the shape of a pointer
}

func (f fragile) MarshalBinary() ([]byte, error) { f.fail(); return nil, errors.New("no") }

func (*fragile) UnmarshalBinary(data []byte) error {
	if len(data) > 0 && data[0] == 'g' {
		runtime.Goexit()
	}
	panic("no coffee")
}

// Brittle is asked with a part that may not decode, and answered with one that may not
// encode.
type Brittle struct {
	actor.Call[Lab, fragile]
	Part fragile
}

func TestACodecThatFailsFailsWhatItEncodes(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		system := newSystem(t)
		failed := make(chan error, 1)
		go func() {
			_, _, err := system.Encode(nil, fragile{fail: fail})
			failed <- err
			_, _, err = system.Encode(nil, Brittle{Part: fragile{fail: fail}})
			failed <- err
			for _, how := range []string{"go", "panic"} {
				failed <- system.Decode("application/msgpack", append([]byte{0xc4, byte(len(how))}, how...), new(fragile))
			}
		}()
		for i := range 4 {
			synctest.Wait()
			select {
			case err := <-failed:
				if codeIs(t, err, actor.InvalidArgument); !strings.Contains(err.Error(), "no coffee") && !strings.Contains(err.Error(), "Goexit") {
					t.Error(err)
				}
			default:
				t.Fatal("did not return:", i)
			}
		}
	})
}
