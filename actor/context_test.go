package actor_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

type (
	userKey  struct{}
	otherKey struct{}
)

func TestHandlerSeesTheCallersContext(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.WithValue(t.Context(), userKey{}, "ada"), deadline)
	defer cancel()
	_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
		if d, ok := ctx.Deadline(); !ok || !d.Equal(deadline) {
			t.Error("deadline:", d, ok)
		}
		if v := ctx.Value(userKey{}); v != nil {
			t.Error("value:", v)
		}
		derived, cancel := context.WithTimeout(context.WithValue(ctx, otherKey{}, "v"), time.Minute)
		defer cancel()
		if derived.Value(userKey{}) != nil || derived.Value(otherKey{}) != "v" || derived.Err() != nil || ctx.Err() != nil {
			t.Error("a derived context has something of the sender's, or has lost something")
		}
		return nil, nil
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestContextOfACast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		kept := make(chan context.Context, 2)
		run(t, ref, func(ctx *actor.Context) error {
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || ctx.Value(userKey{}) != nil {
				t.Error("the context of a plain cast has no deadline, no end and no values")
			}
			kept <- ctx
			return nil
		})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), userKey{}, "ada"), time.Hour)
		if err := actor.TellContext(ctx, ref, Run{Do: func(ctx *actor.Context) error {
			if _, ok := ctx.Deadline(); ok || ctx.Value(userKey{}) != nil {
				t.Error("the context of a cast has neither the sender's deadline nor its values")
			}
			kept <- ctx
			return nil
		}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		var all []context.Context
		for range 2 {
			ctx := <-kept
			derived, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if ctx.Err() != nil || derived.Err() != nil || context.Cause(ctx) != nil {
				t.Error("the sender's end does not count:", ctx.Err(), context.Cause(ctx))
			}
			all = append(all, ctx, derived)
		}
		if err := system.StopActor(context.Background(), ref); err != nil {
			t.Fatal(err)
		}
		for _, ctx := range all {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), actor.Unavailable) {
				t.Error(ctx.Err(), context.Cause(ctx))
			}
		}
	})
}

func TestContextOfAnEarlierIncarnationStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		var cast *actor.Context
		run(t, ref, func(ctx *actor.Context) error { cast = ctx; return nil })
		_ = crash(ref)
		handled(t, ref)
		select {
		case <-cast.Done():
		default:
			t.Error("Done must be closed, also for who looks only now")
		}
		if cast.Err() == nil {
			t.Error("Err must not be nil")
		}
	})
}

func TestContextEndsWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		for _, looked := range []bool{true, false} {
			var kept *actor.Context
			ctx := context.WithValue(t.Context(), userKey{}, "ada")
			_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
				if kept = ctx; looked {
					_ = ctx.Err()
				}
				return nil, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			<-kept.Done()
			derived, cancel := context.WithTimeout(kept, time.Hour)
			defer cancel()
			<-derived.Done()
			if kept.Err() != context.Canceled || derived.Err() != context.Canceled || kept.Value(userKey{}) != nil {
				t.Error(kept.Err(), derived.Err(), kept.Value(userKey{}))
			}
		}
	})
}

func TestContextEndsWhenTheActorIsToldToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		saw := make(chan context.Context, 1)
		answer := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
				derived, cancel := context.WithCancel(ctx)
				defer cancel()
				<-derived.Done()
				saw <- derived
				return nil, derived.Err()
			}})
			answer <- err
		}()
		synctest.Wait()
		if err := system.StopActor(context.Background(), ref); err != nil {
			t.Error(err)
		}
		if cause := context.Cause(<-saw); !errors.Is(cause, actor.Unavailable) {
			t.Error("cause:", cause)
		}
		codeIs(t, <-answer, actor.Unavailable)
	})
}

func TestFirstLookAfterTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		entered, look := make(chan struct{}), make(chan struct{})
		answer := make(chan any, 1)
		go func() {
			reply, _ := compute(ref, func(ctx *actor.Context) (any, error) {
				close(entered)
				<-look
				return ctx.Err(), nil
			})
			answer <- reply
		}()
		<-entered
		go system.StopActor(context.Background(), ref)
		synctest.Wait()
		close(look)
		if err := <-answer; err != context.Canceled {
			t.Error("Err returned", err)
		}
	})
}

// TestContextIsForAnyGoroutine looks for races.
func TestContextIsForAnyGoroutine(t *testing.T) {
	ref := spawn(t, newSystem(t), script{options: supervised(actor.Supervision{MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond})})
	var wg sync.WaitGroup
	use := func(ctx context.Context) {
		wg.Go(func() {
			derived, cancel := context.WithTimeout(context.WithValue(ctx, userKey{}, 1), time.Hour)
			defer cancel()
			wg.Go(func() { <-derived.Done() })
			_, _ = derived.Deadline()
			_ = derived.Value(otherKey{})
			_ = context.Cause(derived)
		})
		wg.Go(func() { _ = ctx.Err(); _ = ctx.Value(userKey{}) })
	}
	for i := range 200 {
		_, err := compute(ref, func(ctx *actor.Context) (any, error) {
			for range 3 {
				use(ctx)
			}
			if i%20 == 0 {
				panic("and a restart")
			}
			return nil, nil
		})
		if err != nil && actor.CodeOf(err) != actor.Internal {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func TestCaller(t *testing.T) {
	system := newSystem(t)
	callee := spawn(t, system, script{}, actor.WithName("callee"))
	caller := spawn(t, system, script{}, actor.WithName("caller"))
	who := func(ctx *actor.Context) (any, error) { return ctx.Caller(), nil }

	got, err := actor.Ask(t.Context(), callee, Compute{Do: who})
	if err != nil || got != (actor.Caller{}) {
		t.Error("from outside:", got, err)
	}
	remote := actor.Caller{Node: "n7"}
	got, err = actor.Ask(actor.WithCaller(t.Context(), remote), callee, Compute{Do: who})
	if err != nil || got != remote {
		t.Error("from a node:", got, err)
	}
	do(t, caller, func(ctx *actor.Context) error {
		got, err := actor.Ask(ctx, callee, Compute{Do: who})
		if err != nil || got != (actor.Caller{Address: caller.Address()}) {
			t.Error("from an actor:", got, err)
		}
		got, err = actor.Ask(actor.WithCaller(ctx, remote), callee, Compute{Do: who})
		if err != nil || got != remote {
			t.Error("from a node, by an actor:", got, err)
		}
		told := make(chan actor.Caller, 1)
		if err := actor.TellContext(ctx, callee, Run{Do: func(ctx *actor.Context) error {
			told <- ctx.Caller()
			return nil
		}}); err != nil {
			return err
		}
		if got := <-told; got.Address != caller.Address() {
			t.Error("told by an actor:", got)
		}
		return nil
	})
	got, err = actor.Ask(actor.WithCaller(t.Context(), remote), caller, Compute{Do: func(ctx *actor.Context) (any, error) {
		return actor.Ask(ctx, callee, Compute{Do: who})
	}})
	if err != nil || got != (actor.Caller{Address: caller.Address()}) {
		t.Error("the nearer caller counts:", got, err)
	}
}

// TestContextsOfAnEndlessConversation: each message has a context, and none may
// hold on to all those before it.
func TestContextsOfAnEndlessConversation(t *testing.T) {
	system := newSystem(t)
	one := spawn(t, system, script{}, actor.WithName("one"))
	two := spawn(t, system, script{}, actor.WithName("two"))
	const rounds = 2000
	var collected sync.WaitGroup
	collected.Add(1)
	done := make(chan struct{})
	var play func(n int) func(*actor.Context) error
	play = func(n int) func(*actor.Context) error {
		return func(ctx *actor.Context) error {
			if ctx.Value(userKey{}) != nil {
				t.Error("the value came along")
			}
			if n == 1 {
				runtime.AddCleanup(ctx, func(int) { collected.Done() }, 0)
			}
			if n == rounds {
				runtime.GC()
				close(done)
				return nil
			}
			to := one
			if ctx.Self() == one.Address() {
				to = two
			}
			if n%3 == 0 {
				_, err := actor.Ask(ctx, to, Compute{Do: func(ctx *actor.Context) (any, error) {
					return nil, actor.TellContext(ctx, actor.Self[Lab](ctx), Run{Do: play(n + 1)})
				}})
				return err
			}
			return actor.TellContext(ctx, to, Run{Do: play(n + 1)})
		}
	}
	ctx := context.WithValue(t.Context(), userKey{}, "ada")
	if err := actor.TellContext(ctx, two, Run{Do: play(0)}); err != nil {
		t.Fatal(err)
	}
	<-done
	runtime.GC()
	collected.Wait()
}

func TestSelf(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	do(t, ref, func(ctx *actor.Context) error {
		if actor.Self[Lab](ctx) != ref || ctx.Self() != ref.Address() {
			t.Error("not itself")
		}
		if !actor.Self[userKey](ctx).IsZero() {
			t.Error("a Ref of another protocol must be zero")
		}
		if ctx.System() == nil || ctx.Log() == nil {
			t.Error("no system, or no log")
		}
		return nil
	})
}
