package actor_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan int, 1)
		ref := spawn(t, newSystem(t), script{note: func(_ *actor.Context, m Note) error { got <- m.N; return nil }})
		run(t, ref, func(ctx *actor.Context) error {
			actor.Pipe(ctx, func(ctx context.Context) Note {
				elapse(time.Hour)
				return Note{N: 7}
			})
			return nil
		})
		handled(t, ref) // it is free for others
		if n := <-got; n != 7 {
			t.Error(n)
		}
	})
}

func TestPipeMayAskItsOwnActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan int, 1)
		ref := spawn(t, newSystem(t), script{note: func(_ *actor.Context, m Note) error { got <- m.N; return nil }})
		run(t, ref, func(ctx *actor.Context) error {
			self := actor.Self[Lab](ctx)
			actor.Pipe(ctx, func(ctx context.Context) Note {
				n, err := actor.Ask(ctx, self, Handled{})
				if err != nil {
					t.Error(err)
				}
				return Note{N: n}
			})
			return nil
		})
		if n := <-got; n != 1 {
			t.Error(n)
		}
	})
}

func TestPanicInPipeIsAFailure(t *testing.T) {
	for name, f := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				starts := 0
				ref := spawn(t, newSystem(t), script{started: func(*actor.Context) error { starts++; return nil }})
				run(t, ref, func(ctx *actor.Context) error {
					actor.Pipe(ctx, func(context.Context) Note { f(); return Note{} })
					return nil
				})
				synctest.Wait()
				handled(t, ref)
				if starts != 2 {
					t.Error("started", starts)
				}
			})
		})
	}
}

func TestPipeOfAnEarlierIncarnation(t *testing.T) {
	for _, how := range []string{"result", "panic"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dead letters
				starts := 0
				ref := spawn(t, newSystem(t, dead.option()), script{
					started: func(*actor.Context) error { starts++; return nil },
					note:    func(*actor.Context, Note) error { t.Error("the result came"); return nil },
				})
				run(t, ref, func(ctx *actor.Context) error {
					actor.Pipe(ctx, func(ctx context.Context) Note {
						<-ctx.Done()
						if how == "panic" {
							panic("late")
						}
						return Note{}
					})
					return nil
				})
				_ = crash(ref)
				handled(t, ref)
				synctest.Wait()
				if starts != 2 {
					t.Errorf("started %d times: work of the first incarnation failed the second", starts)
				}
				if all := dead.get(); how == "result" && (len(all) != 1 || all[0].Reason.Code != actor.Unavailable) {
					t.Errorf("%+v", all)
				}
			})
		})
	}
}

func TestStopWaitsForPipes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		finish := make(chan struct{})
		ended := make(chan error, 1)
		do(t, ref, func(ctx *actor.Context) error {
			actor.Pipe(ctx, func(ctx context.Context) Note {
				<-ctx.Done()
				ended <- context.Cause(ctx)
				<-finish
				return Note{}
			})
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		codeIs(t, system.Stop(ctx), actor.DeadlineExceeded)
		if d := time.Since(start); d != time.Second {
			t.Error("Stop must keep its deadline, took", d)
		}
		if err := <-ended; !errors.Is(err, actor.Unavailable) {
			t.Error(err)
		}
		close(finish)
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestPipeWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		got := make(chan int, 1)
		ref := spawn(t, newSystem(t, dead.option()), script{
			options: bounded(1, mailbox.Block),
			note:    func(_ *actor.Context, m Note) error { got <- m.N; return nil },
		})
		do(t, ref, func(ctx *actor.Context) error {
			actor.Pipe(ctx, func(context.Context) Note { elapse(time.Second); return Note{N: 1} })
			return nil
		})
		release := block(t, ref)
		run(t, ref, nothing)
		elapse(time.Minute)
		release()
		if n := <-got; n != 1 || len(dead.get()) != 0 {
			t.Error(n, dead.get())
		}
	})
}

func TestPipeOfNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		ref := spawn(t, newSystem(t, dead.option()), script{})
		do(t, ref, func(ctx *actor.Context) error {
			actor.Pipe(ctx, func(context.Context) *Note { return nil })
			actor.Pipe(ctx, func(context.Context) actor.Message[Lab] { return nil })
			return nil
		})
		synctest.Wait()
		if n := handled(t, ref); n != 1 {
			t.Error(n)
		}
		if all := dead.get(); len(all) != 2 || all[0].Reason.Code != actor.InvalidArgument {
			t.Errorf("%+v", all)
		}
	})
}
