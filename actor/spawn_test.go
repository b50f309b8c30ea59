package actor_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

func TestNames(t *testing.T) {
	system := newSystem(t, actor.WithNode("n1"))
	ref := spawn(t, system, script{})
	if !strings.HasPrefix(ref.String(), "actor://n1/subject#") {
		t.Error(ref)
	}
	_, err := actor.Spawn(system, define(script{}))
	codeIs(t, err, actor.AlreadyExists)
	named := spawn(t, system, script{}, actor.WithName("named"))
	if !strings.HasPrefix(named.String(), "actor://n1/named#") {
		t.Error(named)
	}
	for range 100 {
		spawn(t, system, script{}, actor.WithName("worker"), actor.WithUniqueName())
	}
	for _, bad := range []string{"a/b", "a#b", "a b", ".", "..", "ü", "x\x00", strings.Repeat("x", 129)} {
		_, err := actor.Spawn(system, define(script{}), actor.WithName(bad))
		codeIs(t, err, actor.InvalidArgument)
	}
}

func TestNameIsFreeAgainAfterStop(t *testing.T) {
	system := newSystem(t)
	first := spawn(t, system, script{})
	if err := system.StopActor(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := spawn(t, system, script{})
	if first == second || first.String() == second.String() {
		t.Error("two incarnations have one Ref:", first)
	}
	_, err := actor.Ask(t.Context(), first, Handled{})
	codeIs(t, err, actor.NotFound)
	handled(t, second)
}

func TestOneOfManyConcurrentSpawnsGetsTheName(t *testing.T) {
	system := newSystem(t)
	var wg sync.WaitGroup
	got := make(chan error, 16)
	for range cap(got) {
		wg.Go(func() {
			_, err := actor.Spawn(system, define(script{}))
			got <- err
		})
	}
	wg.Wait()
	spawned := 0
	for range cap(got) {
		if err := <-got; err == nil {
			spawned++
		} else {
			codeIs(t, err, actor.AlreadyExists)
		}
	}
	if spawned != 1 {
		t.Error(spawned)
	}
}

func TestPathsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := strings.Repeat("x", 100)
		depth := 0
		var nest func(ctx *actor.Context) error
		nest = func(ctx *actor.Context) error {
			depth++
			_, err := actor.Spawn(ctx, define(script{started: nest}), actor.WithName(name))
			if err != nil {
				codeIs(t, err, actor.InvalidArgument)
			}
			return nil
		}
		spawn(t, newSystem(t), script{started: nest})
		synctest.Wait()
		if depth != 6 {
			t.Errorf("%d levels of 100 characters, want 5 below the top", depth)
		}
	})
}

func TestInvalidDefinitions(t *testing.T) {
	ok := actor.OnCast((*subject).run)
	create := func() *subject { return &subject{} }
	for name, d := range map[string]actor.Definition[Lab]{
		"zero":                    {},
		"zero, with options":      actor.Definition[Lab]{}.With(actor.StashLimit(1)),
		"no create":               actor.Define[Lab, *subject]("x", nil, ok),
		"no name":                 actor.Define("", create, ok),
		"bad name":                actor.Define("a/b", create, ok),
		"duplicate":               actor.Define("x", create, ok, ok),
		"pointer and value":       actor.Define("x", create, ok, actor.OnCast(func(*subject, *actor.Context, *Run) error { return nil })),
		"zero Handler":            actor.Define("x", create, actor.Handler[Lab, *subject]{}),
		"nil cast function":       actor.Define("x", create, actor.OnCast[*subject, Lab, Run](nil)),
		"nil call function":       actor.Define("x", create, actor.OnCall[*subject, Lab, int, Handled](nil)),
		"interface as a message":  actor.Define("x", create, actor.OnCast(func(*subject, *actor.Context, actor.Message[Lab]) error { return nil })),
		"Mailbox(nil)":            actor.Define("x", create, ok).With(actor.Mailbox(nil)),
		"Mailbox that makes none": actor.Define("x", create, ok).With(actor.Mailbox(func(func(actor.Envelope)) mailbox.Queue[actor.Envelope] { return nil })),
	} {
		t.Run(name, func(t *testing.T) {
			system := newSystem(t)
			_, err := actor.Spawn(system, d)
			codeIs(t, err, actor.InvalidArgument)
			_, err = system.Spawn(d)
			codeIs(t, err, actor.InvalidArgument)
			_ = d.Name()
			if n := system.Stats().Actors; n != 0 {
				t.Error("actors:", n)
			}
		})
	}
}

func TestDefinitionIsImmutable(t *testing.T) {
	base := define(script{})
	_ = base.With(actor.BoundedMailbox(1, mailbox.Reject))
	ref, err := actor.Spawn(newSystem(t), base)
	if err != nil {
		t.Fatal(err)
	}
	release := block(t, ref)
	defer release()
	for range 10 {
		tell(t, ref, Run{Do: func(*actor.Context) error { return nil }})
	}
}

// family is a parent with a child and a grandchild, and the order of their ends.
type family struct {
	parent, child, grandchild actor.Ref[Lab]

	mu      sync.Mutex
	stopped []string
}

func (f *family) ends(name string) func(*actor.Context) {
	return func(*actor.Context) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.stopped = append(f.stopped, name)
	}
}

func newFamily(t *testing.T, by actor.Spawner) *family {
	f := &family{}
	f.parent = spawn(t, by, script{stopped: f.ends("parent"), started: func(ctx *actor.Context) error {
		f.child = spawn(t, ctx, script{stopped: f.ends("child"), started: func(ctx *actor.Context) error {
			f.grandchild = spawn(t, ctx, script{stopped: f.ends("grandchild")}, actor.WithName("grandchild"))
			return nil
		}}, actor.WithName("child"))
		return nil
	}}, actor.WithName("parent"))
	synctest.Wait()
	return f
}

func TestFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, newSystem(t))
		do(t, f.parent, func(ctx *actor.Context) error {
			if c := ctx.Children(); len(c) != 1 || c[0] != f.child.Address() {
				t.Error("children:", c)
			}
			if ctx.Parent() != (actor.Address{}) {
				t.Error("parent of the top:", ctx.Parent())
			}
			codeIs(t, ctx.StopChild(f.grandchild), actor.NotFound)
			codeIs(t, ctx.StopChild(ctx.Self()), actor.NotFound)
			codeIs(t, ctx.StopChild(actor.Address{}), actor.NotFound)
			return nil
		})
		do(t, f.child, func(ctx *actor.Context) error {
			if ctx.Parent() != f.parent.Address() {
				t.Error("parent of the child:", ctx.Parent())
			}
			return nil
		})
		if !strings.HasPrefix(f.grandchild.String(), "actor:///parent/child/grandchild#") {
			t.Error(f.grandchild)
		}
	})
}

func TestChildrenEndBeforeTheirParent(t *testing.T) {
	for name, end := range map[string]func(*actor.System, *family) error{
		"StopActor":  func(s *actor.System, f *family) error { return s.StopActor(context.Background(), f.parent) },
		"DrainActor": func(s *actor.System, f *family) error { return s.DrainActor(context.Background(), f.parent) },
		"Stop":       func(s *actor.System, _ *family) error { return s.Stop(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				f := newFamily(t, system)
				if err := end(system, f); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(f.stopped, " "); got != "grandchild child parent" {
					t.Error(got)
				}
				if n := system.Stats().Actors; n != 0 {
					t.Error("actors left:", n)
				}
			})
		})
	}
}

func TestRestartStopsChildrenAndStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, newSystem(t))
		oldChild, oldGrandchild := f.child, f.grandchild
		_ = crash(f.parent)
		synctest.Wait()
		for _, ref := range []actor.Ref[Lab]{oldChild, oldGrandchild} {
			_, err := actor.Ask(t.Context(), ref, Handled{})
			codeIs(t, err, actor.NotFound)
		}
		handled(t, f.child)
		handled(t, f.grandchild)
		if got := strings.Join(f.stopped, " "); got != "parent grandchild child" {
			t.Error(got)
		}
	})
}

func TestStopOfAParentEndsTheHandlersOfItsChildren(t *testing.T) {
	for _, how := range []string{"StopActor", "restart", "DrainActor", "Context.Stop"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				f := newFamily(t, system)
				ended := make(chan error, 1)
				run(t, f.grandchild, func(ctx *actor.Context) error {
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return nil
				})
				asked := make(chan error, 1)
				go func() {
					_, err := compute(f.child, func(ctx *actor.Context) (any, error) {
						<-ctx.Done()
						return nil, ctx.Err()
					})
					asked <- err
				}()
				synctest.Wait()
				switch how {
				case "StopActor":
					if err := system.StopActor(context.Background(), f.parent); err != nil {
						t.Error(err)
					}
				case "DrainActor":
					if err := system.DrainActor(context.Background(), f.parent); err != nil {
						t.Error(err)
					}
				case "restart":
					_ = crash(f.parent)
				case "Context.Stop":
					run(t, f.parent, func(ctx *actor.Context) error { ctx.Stop(); return nil })
				}
				if err := <-ended; !errors.Is(err, actor.Unavailable) {
					t.Error("the handler of a cast saw", err)
				}
				codeIs(t, <-asked, actor.Unavailable)
				synctest.Wait()
			})
		})
	}
}

func TestStopChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(t, newSystem(t))
		do(t, f.parent, func(ctx *actor.Context) error { return ctx.StopChild(f.child) })
		synctest.Wait()
		do(t, f.parent, func(ctx *actor.Context) error {
			if n := len(ctx.Children()); n != 0 {
				t.Error("children left:", n)
			}
			// The name is free again.
			f.child = spawn(t, ctx, script{}, actor.WithName("child"))
			return nil
		})
		handled(t, f.child)
	})
}

func TestStopOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{})
		release := block(t, ref)
		stopping, waiting := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := compute(ref, func(ctx *actor.Context) (any, error) {
				ctx.Stop()
				if err := ctx.Err(); err != nil {
					t.Error("the handler must be able to finish its work, but its context has ended:", err)
				}
				return nil, nil
			})
			stopping <- err
		}()
		synctest.Wait()
		go func() { _, err := actor.Ask(context.Background(), ref, Handled{}); waiting <- err }()
		synctest.Wait()
		release()
		if err := <-stopping; err != nil {
			t.Error("the message that stops is answered:", err)
		}
		codeIs(t, <-waiting, actor.Unavailable)
		synctest.Wait()
		if n := system.Stats().Actors; n != 0 {
			t.Error("actors left:", n)
		}
	})
}

func TestStopInStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		ref := spawn(t, system, script{started: func(ctx *actor.Context) error { ctx.Stop(); return nil }})
		_, err := actor.Ask(context.Background(), ref, Handled{})
		if code := actor.CodeOf(err); code != actor.Unavailable && code != actor.NotFound {
			t.Error(err)
		}
		synctest.Wait()
		if n := system.Stats().Actors; n != 0 {
			t.Error("actors left:", n)
		}
	})
}
