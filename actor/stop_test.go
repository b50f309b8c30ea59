package actor_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		done := 0
		ref := spawn(t, system, script{note: func(*actor.Context, Note) error {
			elapse(time.Second)
			done++
			return nil
		}})
		for range 10 {
			tell(t, ref, Note{})
		}
		stopped := make(chan error, 1)
		go func() { stopped <- system.Stop(context.Background()) }()
		elapse(1500 * time.Millisecond) // it is at the second message
		codeIs(t, actor.Tell(ref, Note{}), actor.NotFound)
		_, err := actor.Spawn(system, define(script{}))
		codeIs(t, err, actor.Unavailable)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if done != 10 {
			t.Error("handled", done)
		}
	})
}

func TestDrainActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		release := block(t, ref)
		answers := make(chan error, 5)
		for range cap(answers) {
			go func() { _, err := actor.Ask(context.Background(), ref, Handled{}); answers <- err }()
		}
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- system.DrainActor(context.Background(), ref) }()
		synctest.Wait()
		release()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDrainHandlesWhatWasStashedAndUnstashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		system := newSystem(t, dead.option())
		var got []int
		first := true
		ref := spawn(t, system, script{note: func(ctx *actor.Context, m Note) error {
			if first {
				return ctx.Stash()
			}
			got = append(got, m.N)
			return nil
		}})
		tell(t, ref, Note{N: 1})
		release := block(t, ref)
		run(t, ref, func(ctx *actor.Context) error { first = false; ctx.Unstash(); return nil })
		tell(t, ref, Note{N: 2})
		stopped := make(chan error, 1)
		go func() { stopped <- system.Stop(context.Background()) }()
		synctest.Wait()
		release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if !equal(got, []int{1, 2}) || len(dead.get()) != 0 {
			t.Error(got, dead.get())
		}
	})
}

func TestStopInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		polite := spawn(t, system, script{}, actor.WithName("polite"))
		f := newFamily(t, system)
		saw := make(chan error, 2)
		for _, ref := range []actor.Ref[Lab]{polite, f.grandchild} {
			run(t, ref, func(ctx *actor.Context) error {
				<-ctx.Done()
				saw <- context.Cause(ctx)
				return nil
			})
		}
		queued := make(chan error, 1)
		go func() { _, err := actor.Ask(context.Background(), polite, Handled{}); queued <- err }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		err := system.Stop(ctx)
		codeIs(t, err, actor.DeadlineExceeded)
		if d := time.Since(start); d != time.Second {
			t.Error("took", d)
		}
		if !strings.Contains(err.Error(), "polite") || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		for range cap(saw) {
			if err := <-saw; !errors.Is(err, actor.Unavailable) {
				t.Error("a handler saw", err)
			}
		}
		codeIs(t, <-queued, actor.Unavailable)
		if err := system.Stop(context.Background()); err != nil {
			t.Error("the second Stop:", err)
		}
	})
}

func TestStopAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := system.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		// What is left of an actor answers at once.
		if err := system.StopActor(context.Background(), ref); err != nil {
			t.Error(err)
		}
		if err := system.DrainActor(context.Background(), ref); err != nil {
			t.Error(err)
		}
		ended := make(chan error, 1)
		if _, err := ref.Address().Recipient().Watch(func(reason error) { ended <- reason }); err != nil {
			t.Error(err)
		}
		codeIs(t, <-ended, actor.NotFound)
	})
}

func TestStopActorOfAnotherSystem(t *testing.T) {
	one, other := newSystem(t), newSystem(t)
	ref := spawn(t, other, script{})
	codeIs(t, one.StopActor(t.Context(), ref), actor.NotFound)
	codeIs(t, one.StopActor(t.Context(), actor.Address{}), actor.NotFound)
	handled(t, ref)
}

func TestStopActorWaitsForChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		f := newFamily(t, system)
		release := block(t, f.grandchild)
		ended := make(chan error, 2)
		for range cap(ended) {
			go func() { ended <- system.StopActor(context.Background(), f.parent) }()
			synctest.Wait()
		}
		if len(ended) != 0 {
			t.Error("StopActor returned before the grandchild ended:", <-ended)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		codeIs(t, system.StopActor(ctx, f.parent), actor.DeadlineExceeded)
		release()
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStopWhileEverybodySends(t *testing.T) {
	for range 20 {
		system := newSystem(t)
		refs := make([]actor.Ref[Lab], 8)
		for i := range refs {
			refs[i] = spawn(t, system, script{
				note:    func(*actor.Context, Note) error { return nil },
				options: []actor.DefineOption{actor.BoundedMailbox(4, mailbox.Block)},
			}, actor.WithUniqueName())
		}
		var wg sync.WaitGroup
		var answered atomic.Int64
		begun := make(chan struct{}, 64)
		allowed := func(err error, codes ...actor.Code) bool {
			for _, code := range codes {
				if errors.Is(err, code) {
					return true
				}
			}
			return err == nil
		}
		for g := range 16 {
			wg.Go(func() {
				begun <- struct{}{}
				for i := 0; ; i++ {
					ref := refs[(g+i)%len(refs)]
					_, err := actor.Ask(context.Background(), ref, Handled{})
					if !allowed(err, actor.NotFound, actor.Unavailable) {
						t.Error("ask:", err)
					}
					if err != nil {
						return
					}
					answered.Add(1)
					if err := actor.Tell(ref, Note{}); !allowed(err, actor.NotFound, actor.ResourceExhausted) {
						t.Error("tell:", err)
					}
					if err := actor.TellContext(context.Background(), ref, Note{}); !allowed(err, actor.NotFound) {
						t.Error("tell with a context:", err)
					}
					_, err = actor.Spawn(system, define(script{started: func(ctx *actor.Context) error {
						_, err := actor.Spawn(ctx, define(script{}))
						if !allowed(err, actor.Unavailable) {
							t.Error("spawn of a child:", err)
						}
						return nil
					}}), actor.WithUniqueName())
					if !allowed(err, actor.Unavailable) {
						t.Error("spawn:", err)
					}
				}
			})
		}
		for range 16 {
			<-begun
		}
		for answered.Load() < 100 {
			handled(t, refs[0])
		}
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

func TestStopOfAnEmptySystem(t *testing.T) {
	if err := actor.NewSystem().Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// Started, Stopped, a handler or the work of a Pipe that does not watch its context is
// named: who it is, what it is about, and for how long.
// stopping is a system that does not stop in time, and what its error has to say.
type stopping struct {
	begin func(t *testing.T, s *actor.System, gate chan struct{})
	want  []string
	not   []string
}

func whatDoesNotEnd() map[string]stopping {
	stuck := func(gate <-chan struct{}) func(*actor.Context, Note) error {
		return func(*actor.Context, Note) error { <-gate; return nil }
	}
	return map[string]stopping{
		"a handler": {
			func(t *testing.T, s *actor.System, gate chan struct{}) {
				spawn(t, s, script{}, actor.WithName("idle"))
				tell(t, spawn(t, s, script{note: stuck(gate)}, actor.WithName("ledger")), Note{})
			},
			[]string{`actor "ledger" has been busy with actor_test.Note for more than 1s`, "context deadline exceeded"}, []string{"idle"},
		},
		"a handler that began later": {
			func(t *testing.T, s *actor.System, gate chan struct{}) {
				first := make(chan struct{})
				n := 0
				ref := spawn(t, s, script{note: func(c *actor.Context, m Note) error {
					if n++; n == 1 {
						<-first
						return nil
					}
					return stuck(gate)(c, m)
				}}, actor.WithName("ledger"))
				tell(t, ref, Note{})
				tell(t, ref, Note{})
				synctest.Wait()
				time.AfterFunc(400*time.Millisecond, func() { close(first) })
			},
			[]string{`actor "ledger" has been busy with actor_test.Note for 600ms`}, nil,
		},
		"Started": {
			func(t *testing.T, s *actor.System, gate chan struct{}) {
				spawn(t, s, script{started: func(*actor.Context) error { <-gate; return nil }}, actor.WithName("slow"))
			},
			[]string{`actor "slow" has been busy with its start for more than 1s`}, nil,
		},
		"Stopped": {
			func(t *testing.T, s *actor.System, gate chan struct{}) {
				spawn(t, s, script{stopped: func(*actor.Context) { <-gate }}, actor.WithName("slow"))
			},
			[]string{`actor "slow" has been busy with its Stopped method for 1s`}, nil,
		},
		"a Pipe": {
			func(t *testing.T, s *actor.System, gate chan struct{}) {
				ref := spawn(t, s, script{}, actor.WithName("reader"))
				run(t, ref, func(ctx *actor.Context) error {
					actor.Pipe(ctx, func(context.Context) Note { <-gate; return Note{} })
					return nil
				})
				elapse(2 * time.Second)
			},
			[]string{`actor "reader" has had work in a Pipe for actor_test.Note for 3s`}, nil,
		},
		"many": {
			func(t *testing.T, s *actor.System, gate chan struct{}) {
				for range 20 {
					tell(t, spawn(t, s, script{note: stuck(gate)}, actor.WithUniqueName()), Note{})
				}
			},
			[]string{"; and 15 more; "}, nil,
		},
	}
}

func TestStopNamesWhatDoesNotEnd(t *testing.T) {
	for name, test := range whatDoesNotEnd() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system, gate := newSystem(t), make(chan struct{})
				test.begin(t, system, gate)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				err := system.Stop(ctx)
				if took := time.Since(began); took != time.Second {
					t.Errorf("Stop took %v", took)
				}
				codeIs(t, err, actor.DeadlineExceeded)
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v\ndoes not say %s", err, want)
					}
				}
				for _, not := range test.not {
					if strings.Contains(err.Error(), not) {
						t.Errorf("%v\nspeaks of %s", err, not)
					}
				}
				close(gate)
			})
		})
	}
}

func TestStopOfAnIdleSystemNeedsNoTime(t *testing.T) {
	for range 100 {
		s := actor.NewSystem()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Stop(ctx); err != nil && strings.HasSuffix(err.Error(), "not at an end: ") {
			t.Fatalf("nothing ran: %v", err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
