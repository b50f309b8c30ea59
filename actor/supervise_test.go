package actor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func supervised(s actor.Supervision) []actor.DefineOption {
	return []actor.DefineOption{actor.Supervised(s)}
}

func TestBackoffDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		system := newSystem(t)
		ref := spawn(t, system, script{
			options: supervised(actor.Supervision{MinBackoff: time.Second, MaxBackoff: 10 * time.Second, Within: time.Hour}),
			started: func(*actor.Context) error {
				starts = append(starts, time.Now())
				return errors.New("no")
			},
		})
		elapse(time.Minute)
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, 1, 2, 4, 8, 10, 10, 10}
		for i, want := range want {
			got := starts[i+1].Sub(starts[i])
			if want *= time.Second; got > want || got < want*8/10 {
				t.Errorf("pause %d was %v, want %v less up to a fifth", i, got, want)
			}
		}
	})
}

func TestBackoffForgetsOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{
			options: supervised(actor.Supervision{MinBackoff: time.Second, Within: time.Minute, MaxRestarts: 2}),
		})
		for range 10 {
			_ = crash(ref)
			start := time.Now()
			handled(t, ref)
			if d := time.Since(start); d != 0 {
				t.Fatal("the first restart within the window took", d)
			}
			elapse(2 * time.Minute)
		}
	})
}

func TestMaxRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		starts := 0
		ref := spawn(t, system, script{
			options: supervised(actor.Supervision{MaxRestarts: 3}),
			started: func(*actor.Context) error { starts++; return errors.New("no") },
		})
		_, err := actor.Ask(t.Context(), ref, Handled{})
		if e := codeIs(t, err, actor.Unavailable); !e.NotRun {
			t.Error("it did not run")
		}
		synctest.Wait()
		if starts != 4 {
			t.Errorf("started %d times, want 1 and 3 restarts", starts)
		}
		if n := system.Stats().Actors; n != 0 {
			t.Error("actors left:", n)
		}
	})
}

func TestDecide(t *testing.T) {
	decide := func(d actor.Directive) []actor.DefineOption {
		return supervised(actor.Supervision{Decide: func(any) actor.Directive { return d }})
	}
	t.Run("Resume keeps the value", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ref := spawn(t, newSystem(t), script{options: decide(actor.Resume)})
			codeIs(t, crash(ref), actor.Internal)
			if n := handled(t, ref); n != 1 {
				t.Errorf("handled %d before, want 1", n)
			}
		})
	})
	t.Run("Stop ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ref := spawn(t, newSystem(t), script{options: decide(actor.Stop)})
			codeIs(t, crash(ref), actor.Internal)
			synctest.Wait()
			_, err := actor.Ask(t.Context(), ref, Handled{})
			codeIs(t, err, actor.NotFound)
		})
	})
	t.Run("Escalate at the top ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			system := newSystem(t)
			ref := spawn(t, system, script{options: decide(actor.Escalate)})
			codeIs(t, crash(ref), actor.Internal)
			synctest.Wait()
			if n := system.Stats().Actors; n != 0 {
				t.Error("actors left:", n)
			}
		})
	})
	t.Run("sees the recovered value", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var seen []any
			ref := spawn(t, newSystem(t), script{options: supervised(actor.Supervision{
				Decide: func(v any) actor.Directive { seen = append(seen, v); return actor.Restart }})})
			codeIs(t, crash(ref), actor.Internal)
			handled(t, ref)
			if len(seen) != 1 || seen[0] != "crash" {
				t.Error(seen)
			}
		})
	})
	t.Run("a panic in it ends the actor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			system := newSystem(t)
			ref := spawn(t, system, script{options: supervised(actor.Supervision{
				Decide: func(any) actor.Directive { panic("undecided") }})})
			codeIs(t, crash(ref), actor.Internal)
			synctest.Wait()
			if n := system.Stats().Actors; n != 0 {
				t.Error("actors left:", n)
			}
		})
	})
}

func TestEscalateFailsTheParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parentSaw []any
		starts := 0
		var child, sibling actor.Ref[Lab]
		parent := spawn(t, newSystem(t), script{
			options: supervised(actor.Supervision{Decide: func(v any) actor.Directive {
				parentSaw = append(parentSaw, v)
				return actor.Restart
			}}),
			started: func(ctx *actor.Context) error {
				starts++
				child = spawn(t, ctx, script{options: supervised(actor.Supervision{
					Decide: func(any) actor.Directive { return actor.Escalate }})}, actor.WithName("child"))
				sibling = spawn(t, ctx, script{}, actor.WithName("sibling"))
				return nil
			}})
		handled(t, parent)
		oldSibling := sibling
		codeIs(t, crash(child), actor.Internal)
		synctest.Wait()
		handled(t, parent)
		handled(t, child)
		if starts != 2 || len(parentSaw) != 1 || parentSaw[0] != "crash" {
			t.Errorf("the parent started %d times and failed with %v", starts, parentSaw)
		}
		_, err := actor.Ask(t.Context(), oldSibling, Handled{})
		codeIs(t, err, actor.NotFound)
	})
}

func TestEscalationToASuspendedParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		var child actor.Ref[Lab]
		parent := spawn(t, newSystem(t), script{
			options: supervised(actor.Supervision{MinBackoff: time.Second}),
			started: func(ctx *actor.Context) error {
				starts++
				child = spawn(t, ctx, script{options: supervised(actor.Supervision{
					Decide: func(any) actor.Directive { return actor.Escalate }})}, actor.WithName("child"))
				return nil
			}})
		_ = crash(parent)
		handled(t, parent)
		_ = crash(parent) // and now it pauses for a second
		synctest.Wait()
		codeIs(t, crash(child), actor.Internal)
		handled(t, parent)
		elapse(time.Minute)
		if starts != 3 {
			t.Errorf("the parent started %d times, want 3: the escalation was for the incarnation before", starts)
		}
	})
}

// TestParentMayAskItsCrashedChild: supervision must not need the parent, which
// waits here.
func TestParentMayAskItsCrashedChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := spawn(t, newSystem(t), script{})
		do(t, parent, func(ctx *actor.Context) error {
			child := spawn(t, ctx, script{})
			codeIs(t, crash(child), actor.Internal)
			_, err := actor.Ask(ctx, child, Handled{})
			return err
		})
	})
}

func TestMessagesWaitDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{options: supervised(actor.Supervision{MinBackoff: time.Hour, MaxBackoff: time.Hour})})
		_ = crash(ref)
		_ = crash(ref)
		start := time.Now()
		if n := handled(t, ref); n != 0 {
			t.Error(n)
		}
		if d := time.Since(start); d < 48*time.Minute || d > time.Hour {
			t.Error("waited", d)
		}
	})
}

func TestStopDuringBackoff(t *testing.T) {
	for name, stop := range map[string]func(*actor.System, actor.Addressable) error{
		"StopActor":  func(s *actor.System, a actor.Addressable) error { return s.StopActor(context.Background(), a) },
		"DrainActor": func(s *actor.System, a actor.Addressable) error { return s.DrainActor(context.Background(), a) },
		"Stop":       func(s *actor.System, _ actor.Addressable) error { return s.Stop(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				ref := spawn(t, system, script{options: supervised(actor.Supervision{MinBackoff: time.Hour, MaxBackoff: time.Hour})})
				_ = crash(ref)
				_ = crash(ref)
				queued := make(chan error, 1)
				go func() {
					_, err := actor.Ask(context.Background(), ref, Handled{})
					queued <- err
				}()
				synctest.Wait()
				start := time.Now()
				if err := stop(system, ref); err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d != 0 {
					t.Error("took", d)
				}
				if e := codeIs(t, <-queued, actor.Unavailable); !e.NotRun {
					t.Error("it did not run")
				}
			})
		})
	}
}

func TestDrainOfAnActorThatFailsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{note: func(*actor.Context, Note) error { panic("always") }})
		for range 100 {
			tell(t, ref, Note{})
		}
		start := time.Now()
		if err := system.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > time.Second {
			t.Error("took", d)
		}
	})
}

func TestFailureTextNamesActorAndCause(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	err := crash(ref)
	if !strings.Contains(err.Error(), ref.String()) || !strings.Contains(err.Error(), "crash") {
		t.Error(err)
	}
}
