package actor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// observer spawns an actor that reports what it is told about others.
func observer(t *testing.T, system *actor.System, s script) (actor.Ref[Lab], chan actor.Terminated) {
	ended := make(chan actor.Terminated, 16)
	s.terminated = func(_ *actor.Context, t actor.Terminated) { ended <- t }
	return spawn(t, system, s, actor.WithName("observer")), ended
}

func watch(t *testing.T, watcher actor.Ref[Lab], who actor.Addressable) {
	t.Helper()
	do(t, watcher, func(ctx *actor.Context) error { return ctx.Watch(who) })
}

func TestWatch(t *testing.T) {
	for _, test := range []struct {
		name   string
		end    func(*actor.System, actor.Ref[Lab])
		reason actor.Code
	}{
		{"stopped", func(s *actor.System, r actor.Ref[Lab]) { _ = s.StopActor(context.Background(), r) }, actor.OK},
		{"drained", func(s *actor.System, r actor.Ref[Lab]) { _ = s.DrainActor(context.Background(), r) }, actor.OK},
		{"failed", func(_ *actor.System, r actor.Ref[Lab]) { _ = crash(r); _ = crash(r) }, actor.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				watcher, ended := observer(t, system, script{})
				ref := spawn(t, system, script{options: supervised(actor.Supervision{MaxRestarts: 1})})
				watch(t, watcher, ref)
				watch(t, watcher, ref.Address()) // twice is once
				test.end(system, ref)
				synctest.Wait()
				if len(ended) != 1 {
					t.Fatalf("told %d times", len(ended))
				}
				if got := <-ended; got.Who != ref.Address() || actor.CodeOf(got.Reason) != test.reason {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestWatchOfAChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		watcher, ended := observer(t, system, script{})
		var child actor.Ref[Lab]
		do(t, watcher, func(ctx *actor.Context) error {
			child = spawn(t, ctx, script{options: supervised(actor.Supervision{MaxRestarts: 1})})
			return ctx.Watch(child)
		})
		_ = crash(child)
		handled(t, child)
		if len(ended) != 0 {
			t.Error("a restart is no end")
		}
		_ = crash(child)
		if got := <-ended; got.Who != child.Address() || actor.CodeOf(got.Reason) != actor.Internal {
			t.Errorf("%+v", got)
		}
	})
}

func TestWatchOfWhoIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		watcher, ended := observer(t, system, script{})
		dead := spawn(t, system, script{})
		if err := system.StopActor(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		watch(t, watcher, dead)
		if got := <-ended; got.Who != dead.Address() || actor.CodeOf(got.Reason) != actor.NotFound {
			t.Errorf("%+v", got)
		}
		gone, err := actor.Resolve[Lab](system, "actor:///never#1")
		if err != nil {
			t.Fatal(err)
		}
		watch(t, watcher, gone)
		if got := <-ended; got.Who != gone.Address() || actor.CodeOf(got.Reason) != actor.NotFound {
			t.Errorf("%+v", got)
		}
		do(t, watcher, func(ctx *actor.Context) error {
			codeIs(t, ctx.Watch(actor.Ref[Lab]{}), actor.InvalidArgument)
			ctx.Unwatch(actor.Ref[Lab]{})
			return nil
		})
	})
}

func TestUnwatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		watcher, ended := observer(t, system, script{})
		ref := spawn(t, system, script{})
		watch(t, watcher, ref)
		do(t, watcher, func(ctx *actor.Context) error { ctx.Unwatch(ref); return nil })
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("told after Unwatch")
		}
	})
}

func TestUnwatchAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		watcher, ended := observer(t, system, script{})
		ref := spawn(t, system, script{})
		watch(t, watcher, ref)
		do(t, watcher, func(ctx *actor.Context) error {
			// The news waits in the mailbox when it is taken back.
			if err := system.StopActor(ctx, ref); err != nil {
				return err
			}
			ctx.Unwatch(ref)
			return nil
		})
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("told after Unwatch")
		}
	})
}

func TestWatchEndsWithARestartOfTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		watcher, ended := observer(t, system, script{})
		ref := spawn(t, system, script{})
		watch(t, watcher, ref)
		_ = crash(watcher)
		handled(t, watcher)
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("the new incarnation has not asked to be told")
		}
	})
}

func TestNewsWaitsWhileTheWatcherIsBroken(t *testing.T) {
	for _, test := range []struct {
		name string
		by   actor.Directive
		told int
	}{{"restart", actor.Restart, 0}, {"resume", actor.Resume, 1}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				ref := spawn(t, system, script{})
				decide := func(any) actor.Directive { return test.by }
				watcher, ended := observer(t, system, script{options: supervised(actor.Supervision{Decide: decide, MinBackoff: time.Hour, MaxBackoff: time.Hour})})
				_ = crash(watcher)
				watch(t, watcher, ref)
				release := make(chan struct{})
				run(t, watcher, func(*actor.Context) error { <-release; panic("broken") })
				synctest.Wait()
				go system.StopActor(context.Background(), ref)
				synctest.Wait()
				close(release)
				elapse(time.Minute) // the restart is an hour away
				if test.by == actor.Restart && len(ended) != 0 {
					t.Error("a broken value was called")
				}
				handled(t, watcher)
				if len(ended) != test.told {
					t.Errorf("told %d times, want %d", len(ended), test.told)
				}
			})
		})
	}
}

func TestStoppingWatcherHearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		watcher, ended := observer(t, system, script{})
		do(t, watcher, func(ctx *actor.Context) error { return ctx.Watch(spawn(t, ctx, script{})) })
		if err := system.StopActor(t.Context(), watcher); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("Stopped is the last call, but the end of a child came")
		}
	})
}

// plain has no Terminated method.
type plain struct{}

func (*plain) run(ctx *actor.Context, m Compute) (any, error) { return m.Do(ctx) }

func TestWatchNeedsAWatcher(t *testing.T) {
	system := newSystem(t)
	ref, err := actor.Spawn(system, actor.Define("plain", func() *plain { return &plain{} }, actor.OnCall((*plain).run)))
	if err != nil {
		t.Fatal(err)
	}
	do(t, ref, func(ctx *actor.Context) error {
		codeIs(t, ctx.Watch(ctx.Self()), actor.FailedPrecondition)
		return nil
	})
}

func TestPanicInTerminatedIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		starts := 0
		watcher := spawn(t, system, script{
			started:    func(*actor.Context) error { starts++; return nil },
			terminated: func(*actor.Context, actor.Terminated) { panic("no") },
		}, actor.WithName("watcher"))
		ref := spawn(t, system, script{})
		watch(t, watcher, ref)
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		handled(t, watcher)
		if starts != 2 {
			t.Error("started", starts)
		}
	})
}

func TestWatchOutsideOfActors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		ended := make(chan error, 2)
		var cancel func()
		cancel, err := ref.Address().Recipient().Watch(func(reason error) {
			cancel() // from within
			ended <- reason
		})
		if err != nil {
			t.Fatal(err)
		}
		other, err := ref.Address().Recipient().Watch(func(reason error) { ended <- reason })
		if err != nil {
			t.Fatal(err)
		}
		other()
		other()
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil || len(ended) != 0 {
			t.Error(err)
		}
	})
}
