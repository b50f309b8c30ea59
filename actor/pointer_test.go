package actor_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/actor"
)

// Pair is asked and told, as it is and by pointer.
type Pair struct {
	actor.Call[Lab, int]
	N int
}

// Sealed is one of several messages.
type Sealed interface {
	actor.Message[Lab]
	sealed()
}

func (Pair) sealed() {}

// pairs spawns an actor whose handler takes a Pair, or a *Pair, and changes what it got.
func pairs(t *testing.T, system *actor.System, pointer bool, options ...actor.DefineOption) (ref actor.Ref[Lab], told *[]int) {
	t.Helper()
	told = new([]int)
	handle := func(_ *subject, _ *actor.Context, m *Pair) (int, error) {
		n := m.N
		m.N = -1
		*told = append(*told, n)
		return n, nil
	}
	handler := actor.OnCall(handle)
	if !pointer {
		handler = actor.OnCall(func(s *subject, ctx *actor.Context, m Pair) (int, error) { return handle(s, ctx, &m) })
	}
	d := actor.Define("pairs", func() *subject { return &subject{} }, handler, actor.OnCast((*subject).run), actor.OnCall((*subject).compute))
	ref, err := actor.Spawn(system, d.With(options...))
	if err != nil {
		t.Fatal(err)
	}
	return ref, told
}

// eachForm runs f for each form of handler.
func eachForm(t *testing.T, f func(t *testing.T, pointer bool)) {
	for name, pointer := range map[string]bool{"handler of values": false, "handler of pointers": true} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, pointer) }) })
	}
}

func TestAMessageAndItsPointerAreOneMessage(t *testing.T) {
	eachForm(t, func(t *testing.T, pointer bool) {
		ref, told := pairs(t, newSystem(t), pointer)
		for n := range 2 { // the way is cached
			if got, err := actor.Ask(t.Context(), ref, Pair{N: n}); got != n || err != nil {
				t.Error("asked with a value:", got, err)
			}
			if got, err := actor.Ask(t.Context(), ref, &Pair{N: n}); got != n || err != nil {
				t.Error("asked with a pointer:", got, err)
			}
		}
		*told = nil
		for _, err := range []error{
			actor.Tell(ref, Pair{N: 1}),
			actor.Tell(ref, &Pair{N: 2}),
			actor.Tell(ref, Sealed(Pair{N: 3})),
			actor.Tell(ref, Sealed(&Pair{N: 4})),
			actor.TellContext(t.Context(), ref, Pair{N: 5}),
			actor.TellContext(t.Context(), ref, &Pair{N: 6}),
			actor.TellContext(t.Context(), ref, Sealed(Pair{N: 7})),
			actor.TellContext(t.Context(), ref, Sealed(&Pair{N: 8})),
			actor.TellContext(t.Context(), ref, Sealed(Pair{N: 9})),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, 0, Pair{N: 10})
			actor.Pipe(ctx, func(context.Context) *Pair { return &Pair{N: 11} })
			return nil
		})
		synctest.Wait()
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, 0, &Pair{N: 12})
			actor.Pipe(ctx, func(context.Context) Pair { return Pair{N: 13} })
			return nil
		})
		synctest.Wait()
		if !sameElements(*told, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}) {
			t.Error("told", *told)
		}
	})
}

func sameElements(got, want []int) bool {
	seen := make(map[int]int)
	for _, n := range got {
		seen[n]++
	}
	for _, n := range want {
		seen[n]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestAHandlerOfPointersChangesNobodysValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		first, told := pairs(t, system, true)
		sent := Sealed(Pair{N: 1})
		for range 2 {
			if err := actor.Tell(first, sent); err != nil {
				t.Fatal(err)
			}
			if err := actor.TellContext(t.Context(), first, sent); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if !equal(*told, []int{1, 1, 1, 1}) || sent != Sealed(Pair{N: 1}) {
			t.Error(*told, sent)
		}
	})
}

func TestANilPointerIsNoMessage(t *testing.T) {
	eachForm(t, func(t *testing.T, pointer bool) {
		var dead letters
		ref, told := pairs(t, newSystem(t, dead.option()), pointer)
		_, err := actor.Ask(t.Context(), ref, (*Pair)(nil))
		codeIs(t, err, actor.InvalidArgument)
		codeIs(t, actor.Tell(ref, Sealed((*Pair)(nil))), actor.InvalidArgument)
		codeIs(t, actor.TellContext(t.Context(), ref, Sealed((*Pair)(nil))), actor.InvalidArgument)
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, 0, (*Pair)(nil))
			return nil
		})
		synctest.Wait()
		all := dead.get()
		if len(all) != 1 || all[0].Reason.Code != actor.InvalidArgument || len(*told) != 0 {
			t.Errorf("%+v, handled %v", all, *told)
		}
	})
}

func TestADeferredMessageKeepsItsForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := false
		var waits *actor.Reply[int]
		d := actor.Define("pairs", func() *subject { return &subject{} },
			actor.OnCall(func(_ *subject, ctx *actor.Context, m *Pair) (int, error) {
				if !open {
					return 0, ctx.Stash()
				}
				reply, later := actor.ReplyLater[int](ctx)
				waits = reply
				return 0, later
			}),
			actor.OnCall((*subject).compute))
		ref, err := actor.Spawn(newSystem(t), d)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan int)
		go func() {
			n, _ := actor.Ask(context.Background(), ref, Pair{N: 5})
			got <- n
		}()
		synctest.Wait()
		do(t, ref, func(ctx *actor.Context) error {
			open = true
			ctx.Unstash()
			return nil
		})
		synctest.Wait()
		waits.Send(7, nil)
		if n := <-got; n != 7 {
			t.Error(n)
		}
	})
}

func TestACrashOnTheOtherFormFailsTheCall(t *testing.T) {
	eachForm(t, func(t *testing.T, pointer bool) {
		handle := func(*subject, *actor.Context, *Pair) (int, error) { panic("no") }
		handler := actor.OnCall(handle)
		if !pointer {
			handler = actor.OnCall(func(*subject, *actor.Context, Pair) (int, error) { panic("no") })
		}
		ref, err := actor.Spawn(newSystem(t), actor.Define("pairs", func() *subject { return &subject{} }, handler))
		if err != nil {
			t.Fatal(err)
		}
		_, err = actor.Ask(t.Context(), ref, Pair{})
		codeIs(t, err, actor.Internal)
		_, err = actor.Ask(t.Context(), ref, &Pair{})
		codeIs(t, err, actor.Internal)
	})
}

func TestWhatIsToldIsNotAskedInAnotherFormEither(t *testing.T) {
	ref, err := actor.Spawn(newSystem(t), actor.Define("pairs", func() *subject { return &subject{} },
		actor.OnCast(func(*subject, *actor.Context, Pair) error { return nil })))
	if err != nil {
		t.Fatal(err)
	}
	_, err = actor.Ask(t.Context(), ref, &Pair{})
	if e := codeIs(t, err, actor.Unimplemented); !e.NotRun {
		t.Error("it did not run")
	}
}
