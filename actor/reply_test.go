package actor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestReplyLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		var reply *actor.Reply[any]
		var seen *actor.Context
		asked := make(chan any, 1)
		go func() {
			got, err := compute(ref, func(ctx *actor.Context) (any, error) {
				seen = ctx
				r, later := actor.ReplyLater[any](ctx)
				reply = r
				return nil, later
			})
			if err != nil {
				t.Error(err)
			}
			asked <- got
		}()
		synctest.Wait()
		handled(t, ref) // it is free for others
		if seen.Err() != nil {
			t.Error("the context must not end before the answer")
		}
		reply.Send("first", nil)
		reply.Send("second", nil)
		reply.Send(nil, io.EOF)
		if got := <-asked; got != "first" {
			t.Error(got)
		}
		if seen.Err() == nil {
			t.Error("the context must end with the answer")
		}
	})
}

func TestReplyLaterWithAnError(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	_, err := compute(ref, func(ctx *actor.Context) (any, error) {
		reply, later := actor.ReplyLater[any](ctx)
		go reply.Send("ignored", io.EOF)
		return nil, later
	})
	codeIs(t, err, actor.Unknown)
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestReplyAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var reply *actor.Reply[any]
		_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
			r, later := actor.ReplyLater[any](ctx)
			reply = r
			return nil, later
		}})
		codeIs(t, err, actor.DeadlineExceeded)
		synctest.Wait()
		reply.Send(1, nil)
		if n := handled(t, ref); n != 1 {
			t.Error(n)
		}
	})
}

func TestReplyAfterTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		var reply *actor.Reply[any]
		asked := make(chan any, 1)
		go func() {
			got, _ := compute(ref, func(ctx *actor.Context) (any, error) {
				r, later := actor.ReplyLater[any](ctx)
				reply = r
				return nil, later
			})
			asked <- got
		}()
		synctest.Wait()
		if err := system.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		reply.Send(1, nil)
		if got := <-asked; got != 1 {
			t.Error(got)
		}
	})
}

func TestReplyLaterOfTheWrongKind(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	_, err := compute(ref, func(ctx *actor.Context) (any, error) {
		reply, later := actor.ReplyLater[int](ctx)
		reply.Send(1, nil) // goes nowhere
		return nil, later
	})
	codeIs(t, err, actor.FailedPrecondition)

	errs := make(chan error, 1)
	run(t, ref, func(ctx *actor.Context) error {
		reply, later := actor.ReplyLater[any](ctx)
		reply.Send(1, nil)
		errs <- later
		return nil
	})
	codeIs(t, <-errs, actor.FailedPrecondition)
}

// TestReplyLaterOfARequestThatWasTold: any peer can tell what should be asked, and
// the goroutine of the handler must not crash on it.
func TestReplyLaterOfARequestThatWasTold(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	sent := make(chan struct{})
	tell(t, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
		ctx.Unbecome()
		reply, later := actor.ReplyLater[any](ctx)
		if actor.CodeOf(later) == actor.FailedPrecondition {
			t.Error(later)
		}
		go func() {
			reply.Send(1, nil)
			close(sent)
		}()
		return nil, later
	}})
	<-sent
}

func TestPanicAfterReplyLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		var reply *actor.Reply[any]
		_, err := compute(ref, func(ctx *actor.Context) (any, error) {
			reply, _ = actor.ReplyLater[any](ctx)
			panic("crash")
		})
		codeIs(t, err, actor.Internal)
		reply.Send(1, nil)
		handled(t, ref)
	})
}

// An asker that has not given up is not told that something was canceled: its actor was
// told to stop, and has given up.
func TestAHandlerThatIsCutShortIsNotCanceledByItsAsker(t *testing.T) {
	ends := map[string]func(*actor.Context) (any, error){
		"its context": func(ctx *actor.Context) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"a context of its own": func(ctx *actor.Context) (any, error) {
			limited, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-limited.Done()
			return nil, fmt.Errorf("reading: %w", limited.Err())
		},
		"an ask": func(ctx *actor.Context) (any, error) {
			never := func(ctx *actor.Context) (any, error) {
				_, later := actor.ReplyLater[any](ctx)
				return nil, later
			}
			child, err := actor.Spawn(ctx, define(script{}))
			if err != nil {
				return nil, err
			}
			return actor.Ask(ctx, child, Compute{Do: never})
		},
	}
	for name, wait := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				ref := spawn(t, system, script{})
				answer := make(chan error, 1)
				go func() {
					_, err := actor.Ask(t.Context(), ref, Compute{Do: wait})
					answer <- err
				}()
				synctest.Wait()
				if err := system.StopActor(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
				err := <-answer
				codeIs(t, err, actor.Unavailable)
				if actor.AsError(err).NotRun || errors.Is(err, context.Canceled) {
					t.Errorf("%#v", err)
				}
			})
		})
	}
}

// What a handler means by Canceled stays, and so does what its own contexts do.
func TestAHandlerMaySayCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		withdrawn := actor.NewError(actor.Canceled, "order withdrawn")
		_, err := actor.Ask(t.Context(), ref, Compute{Do: func(ctx *actor.Context) (any, error) {
			ctx.Stop()
			return nil, withdrawn
		}})
		if !errors.Is(err, withdrawn) {
			t.Error(err)
		}
		synctest.Wait() // its name is free once it has stopped
		ref = spawn(t, system, script{})
		_, err = actor.Ask(t.Context(), ref, Compute{Do: func(ctx *actor.Context) (any, error) {
			own, cancel := context.WithCancel(ctx)
			cancel()
			return nil, own.Err()
		}})
		codeIs(t, err, actor.Canceled)
	})
}
