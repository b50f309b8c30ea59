package actor_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestAskReturnsTheReply(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	reply, err := compute(ref, func(*actor.Context) (any, error) { return 42, nil })
	if err != nil || reply != 42 {
		t.Fatal(reply, err)
	}
}

func TestMessagesOfEachSenderArriveInOrder(t *testing.T) {
	const senders, each = 8, 2000
	type sent struct{ from, n int }
	var got []sent
	ref := spawn(t, newSystem(t), script{})
	var wg sync.WaitGroup
	for from := range senders {
		wg.Go(func() {
			for n := range each {
				run(t, ref, func(*actor.Context) error {
					got = append(got, sent{from, n})
					return nil
				})
			}
		})
	}
	wg.Wait()
	if n := handled(t, ref); n != senders*each {
		t.Fatalf("handled %d messages, want %d", n, senders*each)
	}
	next := make([]int, senders)
	for _, m := range got {
		if m.n != next[m.from] {
			t.Fatalf("sender %d: message %d came instead of %d", m.from, m.n, next[m.from])
		}
		next[m.from]++
	}
}

func TestZeroRefRefuses(t *testing.T) {
	var nobody actor.Ref[Lab]
	_, err := actor.Ask(t.Context(), nobody, Handled{})
	if e := codeIs(t, err, actor.InvalidArgument); !e.NotRun {
		t.Error("the error must say that the message did not run")
	}
	codeIs(t, actor.Tell(nobody, Note{}), actor.InvalidArgument)
	codeIs(t, actor.TellContext(t.Context(), nobody, Note{}), actor.InvalidArgument)
	if nobody.String() != "" || !nobody.IsZero() || nobody.Address().String() != "" {
		t.Error("the zero Ref must have no path")
	}
}

// Heard can be sent as a pointer.
type Heard struct{ actor.Call[Lab, int] }

func TestNilMessagesAreRefused(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	for name, err := range map[string]error{
		"Tell, nil":                actor.Tell[Lab, actor.Message[Lab]](ref, nil),
		"Tell, nil pointer":        actor.Tell(ref, (*Note)(nil)),
		"TellContext, nil":         actor.TellContext[Lab, actor.Message[Lab]](t.Context(), ref, nil),
		"TellContext, nil pointer": actor.TellContext(t.Context(), ref, (*Note)(nil)),
		"the zero Envelope":        ref.Address().Recipient().Tell(actor.Envelope{}),
		"the zero Envelope, asked": ref.Address().Recipient().Ask(actor.Envelope{}),
	} {
		t.Run(name, func(t *testing.T) { codeIs(t, err, actor.InvalidArgument) })
	}
	_, err := actor.Ask(t.Context(), ref, (*Heard)(nil))
	codeIs(t, err, actor.InvalidArgument)
	if handled(t, ref) != 0 {
		t.Error("the actor must not have seen any of them")
	}
}

func TestAskNeedsTheConcreteType(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	var q actor.Request[Lab, int] = Handled{}
	_, err := actor.Ask(t.Context(), ref, q)
	codeIs(t, err, actor.InvalidArgument)
	q = nil
	_, err = actor.Ask(t.Context(), ref, q)
	codeIs(t, err, actor.InvalidArgument)
}

func TestTellTakesTheDynamicType(t *testing.T) {
	got := make(chan int, 2)
	ref := spawn(t, newSystem(t), script{note: func(_ *actor.Context, m Note) error { got <- m.N; return nil }})
	var m actor.Message[Lab] = Note{N: 7}
	for _, err := range []error{actor.Tell(ref, m), actor.TellContext(t.Context(), ref, m)} {
		if err != nil {
			t.Fatal(err)
		}
		if n := <-got; n != 7 {
			t.Error(n)
		}
	}
}

func TestUnknownMessages(t *testing.T) {
	var dead letters
	ref := spawn(t, newSystem(t, dead.option()), script{})
	_, err := actor.Ask(t.Context(), ref, UnheardCall{})
	e := codeIs(t, err, actor.Unimplemented)
	if !e.NotRun || !strings.Contains(e.Message, "UnheardCall") {
		t.Errorf("%+v", e)
	}
	tell(t, ref, Unheard{})
	tell(t, ref, &Unheard{})
	handled(t, ref)
	all := dead.get()
	if len(all) != 2 || all[0].Reason.Code != actor.Unimplemented || all[0].Name != "actor_test.Unheard" {
		t.Fatalf("%+v", all)
	}
	if all[0].Reason.Message != all[1].Reason.Message || !strings.Contains(all[1].Reason.Message, `"actor_test.Unheard"`) {
		t.Errorf("a message and its pointer are one: %v, %v", all[0].Reason, all[1].Reason)
	}
}

func TestRequestMayBeTold(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	ran := make(chan struct{})
	tell(t, ref, Compute{Do: func(*actor.Context) (any, error) { close(ran); return nil, errors.New("ignored") }})
	<-ran
	if n := handled(t, ref); n != 1 {
		t.Error(n)
	}
}

func TestAskOfItselfIsRefused(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	_, err := compute(ref, func(ctx *actor.Context) (any, error) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		return actor.Ask(derived, actor.Self[Lab](ctx), Handled{})
	})
	e := codeIs(t, err, actor.FailedPrecondition)
	if e.NotRun {
		t.Error("the outer request did run: a router must not send it again")
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := actor.Ask(ctx, ref, Compute{Do: func(*actor.Context) (any, error) { return nil, nil }})
	if e := codeIs(t, err, actor.Canceled); !e.NotRun {
		t.Error("nothing was sent")
	}
	err = actor.TellContext(ctx, ref, Note{})
	if e := codeIs(t, err, actor.Canceled); !e.NotRun {
		t.Error("nothing was sent")
	}
	if handled(t, ref) != 0 {
		t.Error("something was sent")
	}
}

func TestDeadlineWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		release := block(t, ref)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := actor.Ask(ctx, ref, Compute{Do: func(*actor.Context) (any, error) { return nil, nil }})
		codeIs(t, err, actor.DeadlineExceeded)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("errors.Is must match the error of package context, too")
		}
		if d := time.Since(start); d != time.Second {
			t.Error("returned after", d)
		}
		release()
		if n := handled(t, ref); n != 1 {
			t.Errorf("handled %d messages: nobody waits for the second, it must be skipped", n)
		}
	})
}

func TestDeadlineWhileHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		seen, returned := make(chan error, 1), make(chan struct{})
		_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
			<-ctx.Done()
			<-returned
			seen <- ctx.Err()
			return 1, nil
		}})
		close(returned)
		if e := codeIs(t, err, actor.DeadlineExceeded); e.NotRun {
			t.Error("it did run")
		}
		if err := <-seen; !errors.Is(err, context.DeadlineExceeded) {
			t.Error("the handler saw", err)
		}
	})
}

func TestCancelWithCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := spawn(t, newSystem(t), script{})
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the user closed the tab")
		go func() {
			elapse(time.Minute)
			cancel(why)
		}()
		returned := make(chan struct{})
		_, err := actor.Ask(ctx, ref, Compute{Do: func(ctx *actor.Context) (any, error) {
			<-ctx.Done()
			<-returned
			return nil, nil
		}})
		close(returned)
		codeIs(t, err, actor.Canceled)
		if !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestAskWaitingWhenTheActorStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		release := block(t, ref)
		queued := make(chan error, 1)
		go func() {
			_, err := actor.Ask(context.Background(), ref, Handled{})
			queued <- err
		}()
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- system.StopActor(context.Background(), ref) }()
		synctest.Wait()
		release()
		if e := codeIs(t, <-queued, actor.Unavailable); !e.NotRun {
			t.Error("it did not run")
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		_, err := actor.Ask(context.Background(), ref, Handled{})
		if e := codeIs(t, err, actor.NotFound); !e.NotRun {
			t.Error("it did not run")
		}
		codeIs(t, actor.Tell(ref, Note{}), actor.NotFound)
	})
}

// TestCallSentAgain is a router's life: the same request goes to another actor
// while the first one may still hold it.
func TestCallSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		first := spawn(t, system, script{}, actor.WithName("first"))
		second := spawn(t, system, script{}, actor.WithName("second"))
		router := actor.NewRef[Lab](&router{[]actor.Recipient{first.Address().Recipient(), second.Address().Recipient()}})

		attempts := 0
		late := make(chan *actor.Reply[any], 1)
		held := make(chan context.Context, 1)
		reply, err := actor.Ask(t.Context(), router, Compute{Do: func(ctx *actor.Context) (any, error) {
			if attempts++; attempts == 1 {
				r, _ := actor.ReplyLater[any](ctx)
				late <- r
				derived, cancel := context.WithCancel(ctx)
				_ = cancel
				held <- derived
				panic("first")
			}
			(<-late).Send("late", nil)
			if err := (<-held).Err(); err == nil {
				t.Error("the context of the first attempt must have ended")
			}
			if ctx.Err() != nil {
				t.Error("the context of the second attempt has ended:", ctx.Err())
			}
			return ctx.Self().String(), nil
		}})
		if err != nil || reply != second.String() {
			t.Fatal(reply, err)
		}
	})
}

// router asks one recipient after the other until one answers.
type router struct{ to []actor.Recipient }

func (r *router) Ask(e actor.Envelope) (err error) {
	for _, to := range r.to {
		if err = to.Ask(e); err == nil {
			return nil
		}
	}
	return err
}

func (r *router) Tell(e actor.Envelope) error             { return r.to[0].Tell(e) }
func (r *router) Watch(ended func(error)) (func(), error) { return r.to[0].Watch(ended) }
func (r *router) String() string                          { return "test:router" }
