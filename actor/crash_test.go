package actor_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// unprintable is a panic value that panics again when it is looked at.
type unprintable struct{}

func (unprintable) Error() string { panic("do not look") }

func TestCrashFailsTheCallAtOnce(t *testing.T) {
	for name, failing := range map[string]func(){
		"panic":                      func() { panic("no coffee") },
		"panic with nil":             func() { panic(nil) }, //nolint:govet // on purpose
		"nil dereference":            func() { var s *subject; s.handled++ },
		"runtime.Goexit":             runtime.Goexit,
		"a value that cannot print":  func() { panic(unprintable{}) },
		"a nil error pointer":        func() { panic((*actor.Error)(nil)) },
		"an error":                   func() { panic(errors.New("no coffee")) },
		"a panic behind a deferred":  func() { defer func() { panic("second") }(); panic("first") },
		"a value without comparison": func() { panic([]int{1}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ref := spawn(t, newSystem(t), script{})
				handled(t, ref)
				start := time.Now()
				_, err := compute(ref, func(*actor.Context) (any, error) { failing(); return 1, nil })
				e := codeIs(t, err, actor.Internal)
				if e.NotRun {
					t.Error("it did run")
				}
				if time.Since(start) != 0 {
					t.Error("the caller waited")
				}
				if n := handled(t, ref); n != 0 {
					t.Error("the next message must meet a fresh value, met one that has handled", n)
				}
			})
		})
	}
}

func TestCrashOnACastIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		ref := spawn(t, newSystem(t, dead.option()), script{note: func(*actor.Context, Note) error { panic("no") }})
		tell(t, ref, Note{N: 5})
		synctest.Wait()
		all := dead.get()
		if len(all) != 1 || all[0].Message != (Note{N: 5}) || all[0].Reason.Code != actor.Internal || all[0].Reason.NotRun || all[0].To != ref.String() {
			t.Errorf("%+v", all)
		}
	})
}

func TestMessagesOutliveACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		ref := spawn(t, newSystem(t), script{note: func(_ *actor.Context, m Note) error {
			if m.N%3 == 0 {
				panic(m.N)
			}
			got = append(got, m.N)
			return nil
		}})
		for n := range 9 {
			tell(t, ref, Note{N: n})
		}
		elapse(time.Minute) // beyond all back-offs
		synctest.Wait()
		if want := []int{1, 2, 4, 5, 7, 8}; !equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestFailingStart(t *testing.T) {
	for name, failing := range map[string]func() error{
		"an error": func() error { return errors.New("no database") },
		"a panic":  func() error { panic("no database") },
		"Goexit":   func() error { runtime.Goexit(); return nil },
	} {
		for _, where := range []string{"Started", "create"} {
			t.Run(where+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					attempts := 0
					fail := func() error {
						if attempts++; attempts <= 3 {
							return failing()
						}
						return nil
					}
					s := script{started: func(*actor.Context) error { return fail() }}
					if where == "create" {
						s = script{create: func() {
							if err := fail(); err != nil {
								panic(err)
							}
						}}
					}
					ref := spawn(t, newSystem(t), s)
					if n := handled(t, ref); n != 0 || attempts != 4 {
						t.Errorf("handled %d after %d attempts", n, attempts)
					}
				})
			})
		}
	}
}

func TestFailingStopDisturbsNobody(t *testing.T) {
	for name, failing := range map[string]func(){
		"a panic": func() { panic("cannot close") },
		"Goexit":  runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := newSystem(t)
				parent := spawn(t, system, script{})
				var child actor.Ref[Lab]
				do(t, parent, func(ctx *actor.Context) error {
					child = spawn(t, ctx, script{stopped: func(*actor.Context) { failing() }}, actor.WithName("child"))
					return nil
				})
				codeIs(t, crash(child), actor.Internal) // restart
				handled(t, child)
				if err := system.StopActor(context.Background(), child); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				do(t, parent, func(ctx *actor.Context) error {
					if n := len(ctx.Children()); n != 0 {
						t.Error("children left:", n)
					}
					return nil
				})
			})
		})
	}
}

func TestStoppedIsCalledBeforeARestartAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := newSystem(t)
		var life []string
		ref := spawn(t, system, script{
			started: func(*actor.Context) error { life = append(life, "started"); return nil },
			stopped: func(ctx *actor.Context) {
				life = append(life, "stopped")
				if ctx.Err() == nil {
					t.Error("the context must have ended")
				}
				if _, err := actor.Spawn(ctx, define(script{})); actor.CodeOf(err) != actor.Unavailable {
					t.Error("spawn in Stopped:", err)
				}
				actor.Every(ctx, time.Second, Note{})
				if err := ctx.Watch(ctx.Self()); err != nil {
					t.Error(err)
				}
				ctx.Unstash()
				codeIs(t, ctx.Stash(), actor.FailedPrecondition)
			},
		})
		_ = crash(ref)
		handled(t, ref)
		if err := system.StopActor(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(life, " "), "started stopped started stopped"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
