package actor_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// gate is a subject that stashes notes until it is opened.
type gate struct {
	open bool
	got  []int
}

func (g *gate) script(options ...actor.DefineOption) script {
	return script{options: options, note: func(ctx *actor.Context, m Note) error {
		if !g.open {
			return ctx.Stash()
		}
		g.got = append(g.got, m.N)
		return nil
	}}
}

func (g *gate) opens(ctx *actor.Context) error {
	g.open = true
	ctx.Unstash()
	return nil
}

func TestStashKeepsTheOrder(t *testing.T) {
	g := &gate{}
	ref := spawn(t, newSystem(t), g.script())
	for n := range 5 {
		tell(t, ref, Note{N: n})
	}
	handled(t, ref)
	release := block(t, ref)
	run(t, ref, g.opens)
	tell(t, ref, Note{N: 5})
	release()
	handled(t, ref)
	if !equal(g.got, []int{0, 1, 2, 3, 4, 5}) {
		t.Error(g.got)
	}
}

func TestStashedRequestIsAnsweredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		ref := spawn(t, newSystem(t), g.script())
		var first, second *actor.Context
		asked := make(chan error, 1)
		go func() {
			_, err := compute(ref, func(ctx *actor.Context) (any, error) {
				if !g.open {
					first = ctx
					_ = ctx.Err()
					return nil, ctx.Stash()
				}
				second = ctx
				return nil, ctx.Err()
			})
			asked <- err
		}()
		synctest.Wait()
		if len(asked) != 0 {
			t.Fatal("answered already:", <-asked)
		}
		if first.Err() == nil {
			t.Error("the context of a handling that stashed must have ended")
		}
		run(t, ref, g.opens)
		if err := <-asked; err != nil {
			t.Error(err)
		}
		if second.Err() == nil {
			t.Error("the context must have ended with the answer")
		}
	})
}

func TestStashIsBounded(t *testing.T) {
	var dead letters
	g := &gate{}
	ref := spawn(t, newSystem(t, dead.option()), g.script(actor.StashLimit(2)))
	tell(t, ref, Note{N: 0})
	tell(t, ref, Note{N: 1})
	_, err := compute(ref, func(ctx *actor.Context) (any, error) { return nil, ctx.Stash() })
	codeIs(t, err, actor.ResourceExhausted)
	do(t, ref, g.opens)
	handled(t, ref)
	if !equal(g.got, []int{0, 1}) {
		t.Error(g.got)
	}
}

func TestStashTwiceIsStashOnce(t *testing.T) {
	g := &gate{}
	ref := spawn(t, newSystem(t), script{note: func(ctx *actor.Context, m Note) error {
		if !g.open {
			_ = ctx.Stash()
			return ctx.Stash()
		}
		g.got = append(g.got, m.N)
		return nil
	}})
	tell(t, ref, Note{N: 1})
	do(t, ref, g.opens)
	handled(t, ref)
	if !equal(g.got, []int{1}) {
		t.Error(g.got)
	}
}

func TestStashOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		ref := spawn(t, newSystem(t), g.script())
		tell(t, ref, Note{N: 1})
		tell(t, ref, Note{N: 2})
		_, err := compute(ref, func(*actor.Context) (any, error) { g.open = true; panic("crash") })
		codeIs(t, err, actor.Internal)
		synctest.Wait()
		if !equal(g.got, []int{1, 2}) {
			t.Error(g.got)
		}
	})
}

func TestPanicAfterStash(t *testing.T) {
	for name, f := range map[string]func(*actor.Context){
		"stash":             func(ctx *actor.Context) { _ = ctx.Stash() },
		"stash and unstash": func(ctx *actor.Context) { _ = ctx.Stash(); ctx.Unstash() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gate{}
				ref := spawn(t, newSystem(t), g.script())
				tell(t, ref, Note{N: 1})
				times := 0
				_, err := compute(ref, func(ctx *actor.Context) (any, error) {
					times++
					g.open = true
					f(ctx)
					panic("crash")
				})
				codeIs(t, err, actor.Internal)
				elapse(time.Minute)
				synctest.Wait()
				if times != 1 {
					t.Errorf("the message that crashed the actor was handled %d times", times)
				}
				if !equal(g.got, []int{1}) {
					t.Error(g.got)
				}
			})
		})
	}
}

func TestStashAndUnstashInOneHandlerDoesNotSpin(t *testing.T) {
	g := &gate{}
	ref := spawn(t, newSystem(t), script{note: func(ctx *actor.Context, m Note) error {
		err := ctx.Stash()
		ctx.Unstash()
		g.got = append(g.got, m.N)
		return err
	}})
	tell(t, ref, Note{N: 1})
	if n := handled(t, ref); n != 1 {
		t.Errorf("handled %d times", n)
	}
}

func TestStopFailsWhatIsStashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		system := newSystem(t, dead.option())
		g := &gate{}
		ref := spawn(t, system, g.script())
		tell(t, ref, Note{N: 1})
		asked := make(chan error, 1)
		go func() {
			_, err := compute(ref, func(ctx *actor.Context) (any, error) { return nil, ctx.Stash() })
			asked <- err
		}()
		synctest.Wait()
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		codeIs(t, <-asked, actor.Unavailable)
		if all := dead.get(); len(all) != 1 || all[0].Reason.Code != actor.Unavailable {
			t.Errorf("%+v", all)
		}
	})
}

func TestDeadlineWhileStashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		ref := spawn(t, newSystem(t), g.script())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		times := 0
		_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) { times++; return nil, ctx.Stash() }})
		codeIs(t, err, actor.DeadlineExceeded)
		do(t, ref, g.opens)
		handled(t, ref)
		if times != 1 {
			t.Error("handled although nobody waits any more")
		}
	})
}

// TestContextOfStashedRequests looks for races: the context of the first handling
// is in use while the next one runs.
func TestContextOfStashedRequests(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			times := 0
			_, err := compute(ref, func(ctx *actor.Context) (any, error) {
				for range 2 {
					wg.Go(func() { _ = ctx.Err(); _ = ctx.Value(userKey{}); _ = context.Cause(ctx) })
				}
				if times++; times < 3 {
					return nil, ctx.Stash()
				}
				return nil, nil
			})
			if err != nil && actor.CodeOf(err) != actor.Internal {
				t.Error(err)
			}
		})
		wg.Go(func() { do(t, ref, func(ctx *actor.Context) error { ctx.Unstash(); return nil }) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			do(t, ref, func(ctx *actor.Context) error { ctx.Unstash(); return nil })
		}
	}
}
