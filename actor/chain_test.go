package actor_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// asking is what a handler does, such as to ask others in its turn.
type asking = func(*actor.Context) (any, error)

// via asks to for what then does there, with the handler's own context.
func via(to actor.Ref[Lab], then asking) asking {
	return func(ctx *actor.Context) (any, error) { return actor.Ask(ctx, to, Compute{Do: then}) }
}

func done(*actor.Context) (any, error) { return "done", nil }

// lab returns actors a, b and c.
func lab(t *testing.T) (a, b, c actor.Ref[Lab]) {
	system := newSystem(t)
	of := func(name string) actor.Ref[Lab] { return spawn(t, system, script{}, actor.WithName(name)) }
	return of("a"), of("b"), of("c")
}

// comesBack fails the test unless err says that a call came back by the named actors.
func comesBack(t *testing.T, err error, names ...string) {
	t.Helper()
	e := codeIs(t, err, actor.FailedPrecondition)
	rest := e.Message
	for _, name := range names {
		_, after, found := strings.Cut(rest, "actor:///"+name+"#")
		if !found {
			t.Fatalf("the chain %v is not in %q", names, e.Message)
		}
		rest = after
	}
}

func TestACallThatComesBackFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := lab(t)
		for what, test := range map[string]struct {
			call  asking
			names []string
		}{
			"itself":        {via(a, done), []string{"a", "a"}},
			"two":           {via(b, via(a, done)), []string{"a", "b", "a"}},
			"three":         {via(b, via(c, via(a, done))), []string{"a", "b", "c", "a"}},
			"to the second": {via(b, via(c, via(b, done))), []string{"a", "b", "c", "b"}},
			"with a context of its own": {func(ctx *actor.Context) (any, error) {
				limited, cancel := context.WithTimeout(context.WithValue(ctx, userKey{}, 1), time.Hour)
				defer cancel()
				return actor.Ask(limited, b, Compute{Do: via(a, done)})
			}, []string{"a", "b", "a"}},
			"by one that replies later": {via(b, func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				go func() { reply.Send(actor.Ask(ctx, a, Compute{Do: done})) }()
				return nil, later
			}), []string{"a", "b", "a"}},
			"by one that has stashed it": {via(b, func() asking {
				first := true
				return func(ctx *actor.Context) (any, error) {
					if first {
						first = false
						_ = actor.Tell(actor.Self[Lab](ctx), Run{Do: func(ctx *actor.Context) error { ctx.Unstash(); return nil }})
						return nil, ctx.Stash()
					}
					return via(a, done)(ctx)
				}
			}()), []string{"a", "b", "a"}},
		} {
			begin := time.Now()
			_, err := compute(a, test.call)
			t.Log(what, err)
			comesBack(t, err, test.names...)
			if actor.AsError(err).NotRun || time.Since(begin) > 10*time.Millisecond {
				t.Error(what, "after", time.Since(begin), err)
			}
		}
		if got, err := compute(a, via(b, via(c, done))); got != "done" || err != nil {
			t.Error("they work no more:", got, err)
		}
	})
}

func TestACastThatIsHandledBeginsAChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := lab(t)
		for _, told := range []func(Run) error{
			func(m Run) error { return actor.Tell(a, m) },
			func(m Run) error { return actor.TellContext(t.Context(), a, m) },
		} {
			result := make(chan error, 1)
			if err := told(Run{Do: func(ctx *actor.Context) error {
				_, err := via(b, via(a, done))(ctx)
				result <- err
				return nil
			}}); err != nil {
				t.Fatal(err)
			}
			comesBack(t, <-result, "a", "b", "a")
		}
	})
}

func TestAChildThatAsksItsParentIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := lab(t)
		_, err := compute(a, func(ctx *actor.Context) (any, error) {
			child := spawn(t, ctx, script{}, actor.WithName("child"))
			return via(child, via(a, done))(ctx)
		})
		comesBack(t, err, "a", "a/child", "a")
	})
}

// TestACallOfNobodyWhoWaitsComesBack: the turn of a is free when the call is back.
func TestACallOfNobodyWhoWaitsComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := lab(t)
		for what, call := range map[string]asking{
			"asked by a Pipe": func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				actor.Pipe(ctx, func(ctx context.Context) Run {
					got, err := actor.Ask(ctx, b, Compute{Do: via(a, done)})
					return Run{Do: func(*actor.Context) error { reply.Send(got, err); return nil }}
				})
				return nil, later
			},
			"replied later": func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				go func() { reply.Send(actor.Ask(ctx, b, Compute{Do: via(a, done)})) }()
				return nil, later
			},
			"to itself, replied later": func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				go func() { reply.Send(actor.Ask(ctx, a, Compute{Do: done})) }()
				return nil, later
			},
			// The handler of a is still there when the call is back, and ends later.
			"while the handler runs": func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				go func() { reply.Send(actor.Ask(ctx, b, Compute{Do: via(a, done)})) }()
				elapse(time.Second)
				return nil, later
			},
			// a waits for c while what it has begun before comes back.
			"while it waits for another": func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				go func() { reply.Send(actor.Ask(ctx, b, Compute{Do: via(a, done)})) }()
				if _, err := actor.Ask(ctx, c, Compute{Do: func(*actor.Context) (any, error) { elapse(time.Second); return nil, nil }}); err != nil {
					return nil, err
				}
				return nil, later
			},
			"after the one before was given up": func(ctx *actor.Context) (any, error) {
				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				back := make(chan error, 1)
				_, err := actor.Ask(limited, b, Compute{Do: func(ctx *actor.Context) (any, error) {
					_, later := actor.ReplyLater[any](ctx)
					keep := context.WithoutCancel(ctx)
					go func() {
						elapse(2 * time.Second)
						_, err := actor.Ask(keep, a, Compute{Do: done})
						back <- err
					}()
					return nil, later
				}})
				if actor.CodeOf(err) != actor.DeadlineExceeded {
					return nil, fmt.Errorf("it was not given up: %w", err)
				}
				// The turn waits for something else by then.
				if _, err := actor.Ask(ctx, c, Compute{Do: func(*actor.Context) (any, error) { elapse(time.Minute); return nil, nil }}); err != nil {
					return nil, err
				}
				reply, later := actor.ReplyLater[any](ctx)
				go func() { reply.Send("done", <-back) }()
				return nil, later
			},
		} {
			if got, err := compute(a, call); got != "done" || err != nil {
				t.Error(what, got, err)
			}
		}
	})
}

// late has what was asked come back a second after it was answered, or given up.
type late struct{ actor.Recipient }

func (l late) Ask(e actor.Envelope) error {
	err := l.Recipient.Ask(e)
	elapse(time.Second)
	return err
}

// TestACallOfWhomNobodyWaitsForComesBack: b has answered, or its asker has gone, and the
// turn of a is about to go on.
func TestACallOfWhomNobodyWaitsForComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := lab(t)
		far := actor.NewRef[Lab](late{b.Address().Recipient()})
		answered := func(then func(context.Context) (any, error)) (asking, <-chan error) {
			back := make(chan error, 1)
			return func(ctx *actor.Context) (any, error) {
				reply, later := actor.ReplyLater[any](ctx)
				reply.Send("done", nil)
				_, err := then(context.WithoutCancel(ctx))
				back <- err
				return nil, later
			}, back
		}
		for what, then := range map[string]func(context.Context) (any, error){
			"at once":         func(ctx context.Context) (any, error) { return actor.Ask(ctx, a, Compute{Do: done}) },
			"through another": func(ctx context.Context) (any, error) { return actor.Ask(ctx, c, Compute{Do: via(a, done)}) },
		} {
			asked, back := answered(then)
			if got, err := compute(a, via(far, asked)); got != "done" || err != nil {
				t.Error(what, got, err)
			}
			if err := <-back; err != nil {
				t.Error(what, err)
			}
		}
		back := make(chan error, 1)
		_, err := compute(a, func(ctx *actor.Context) (any, error) {
			limited, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return actor.Ask(limited, far, Compute{Do: func(ctx *actor.Context) (any, error) {
				<-ctx.Done()
				_, err := actor.Ask(context.WithoutCancel(ctx), a, Compute{Do: done})
				back <- err
				return nil, ctx.Err()
			}})
		})
		codeIs(t, err, actor.DeadlineExceeded)
		if err := <-back; err != nil {
			t.Error("given up:", err)
		}
	})
}

// chains keeps the chains of what it is asked.
type chains struct {
	actor.Recipient
	got [][]actor.Hop
}

func (c *chains) Ask(e actor.Envelope) error { c.got = append(c.got, e.Chain()); return nil }

// TestAChainSaysWhoWaits: to another node goes nobody as waiting who has the answer.
func TestAChainSaysWhoWaits(t *testing.T) {
	system := newSystem(t)
	kept := new(chains)
	ask := func(ctx *actor.Context) error {
		_, err := actor.Ask(context.WithoutCancel(ctx), actor.NewRef[Lab](kept), Compute{})
		return err
	}
	b, err := actor.Spawn(system, actor.Define("b", func() *subject { return &subject{} },
		actor.OnCall(func(_ *subject, ctx *actor.Context, m Pair) (int, error) {
			reply, later := actor.ReplyLater[int](ctx)
			reply.Send(m.N, ask(ctx))
			if err := ask(ctx); err != nil {
				t.Error(err)
			}
			return 0, later
		})))
	if err != nil {
		t.Fatal(err)
	}
	a := spawn(t, system, script{}, actor.WithName("a"))
	do(t, a, func(ctx *actor.Context) error { _, err := actor.Ask(ctx, b, Pair{}); return err })
	payload, contentType := encode(t, system, Pair{})
	if _, err := deliver(system, actor.Delivery{
		Path: "b", Message: "actor_test.Pair", ContentType: contentType, Payload: payload, Chain: []actor.Hop{{Actor: "actor://n2/x#1", Ask: 7}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := system.StopActor(t.Context(), b); err != nil { // it has asked twice for each
		t.Fatal(err)
	}
	if len(kept.got) != 4 {
		t.Fatal(kept.got)
	}
	for i, hops := range kept.got {
		if len(hops) != 2 || (hops[0].Ask != 0) != (i%2 == 0) || hops[1].Ask == 0 {
			t.Errorf("%d: %+v", i, hops)
		}
	}
}

// TestAnotherIncarnationIsAnotherActor: the name counts for nothing.
func TestAnotherIncarnationIsAnotherActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newSystem(t), newSystem(t)
		a, b := spawn(t, one, script{}, actor.WithName("a")), spawn(t, one, script{}, actor.WithName("b"))
		other := spawn(t, two, script{}, actor.WithName("a"))
		if got, err := compute(a, via(b, via(other, done))); got != "done" || err != nil {
			t.Error(got, err)
		}
	})
}

func TestAChainHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		var all []actor.Ref[Lab]
		for i := range 80 {
			all = append(all, spawn(t, system, script{}, actor.WithName(fmt.Sprint("n", i))))
		}
		// through returns a call through n actors, the first of which is asked from outside.
		through := func(n int) asking {
			call := done
			for i := n - 1; i > 0; i-- {
				call = via(all[i], call)
			}
			return call
		}
		if got, err := compute(all[0], through(65)); got != "done" || err != nil {
			t.Error("64 ask:", got, err)
		}
		_, err := compute(all[0], through(66))
		e := codeIs(t, err, actor.FailedPrecondition)
		if !strings.Contains(e.Message, "through more than 64 actors") || !strings.Contains(e.Message, "/n0#") || !strings.Contains(e.Message, "/n64#") {
			t.Error(e)
		}
	})
}

// TestCallsThatComeBackAtOnce looks for races: many circles, and calls that are none.
func TestCallsThatComeBackAtOnce(t *testing.T) {
	a, b, c := lab(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				if i%2 == 0 {
					if _, err := compute(a, via(b, via(a, done))); actor.CodeOf(err) != actor.FailedPrecondition {
						t.Error(err)
					}
				} else if got, err := compute(c, func(ctx *actor.Context) (any, error) {
					reply, later := actor.ReplyLater[any](ctx)
					go func() { reply.Send(actor.Ask(ctx, b, Compute{Do: via(c, done)})) }()
					return nil, later
				}); got != "done" || err != nil {
					t.Error(got, err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAskInTurn is an ask within another one: what a chain costs.
func BenchmarkAskInTurn(b *testing.B) {
	system := newSystem(b)
	ref, _ := spawnCounter(b, system)
	front := spawn(b, system, script{})
	b.ReportAllocs()
	_, err := compute(front, func(ctx *actor.Context) (any, error) {
		for i := range b.N {
			if _, err := actor.Ask(ctx, ref, Echo{N: i}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		b.Error(err)
	}
}
