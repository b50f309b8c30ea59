package actor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

// clockwork records when notes come, in seconds since its start.
func clockwork(s script) (script, *[]int) {
	start := time.Now()
	var beats []int
	s.note = func(*actor.Context, Note) error {
		beats = append(beats, int(time.Since(start)/time.Second))
		return nil
	}
	return s, &beats
}

func TestAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, beats := clockwork(script{})
		ref := spawn(t, newSystem(t), s)
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, 3*time.Second, Note{})
			actor.After(ctx, 0, Note{})
			actor.After(ctx, -time.Second, Note{})
			stopped := actor.After(ctx, 2*time.Second, Note{})
			stopped.Stop()
			stopped.Stop()
			return nil
		})
		elapse(time.Minute)
		synctest.Wait()
		if !equal(*beats, []int{0, 0, 3}) {
			t.Error(*beats)
		}
	})
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, beats := clockwork(script{})
		ref := spawn(t, newSystem(t), s)
		var timer *actor.Timer
		do(t, ref, func(ctx *actor.Context) error {
			timer = actor.Every(ctx, 10*time.Second, Note{})
			return nil
		})
		elapse(25 * time.Second)
		release := block(t, ref)
		elapse(60 * time.Second) // beats are skipped
		release()
		elapse(15 * time.Second)
		do(t, ref, func(*actor.Context) error { timer.Stop(); return nil })
		elapse(time.Minute)
		synctest.Wait()
		if !equal(*beats, []int{10, 20, 85, 95}) {
			t.Error(*beats)
		}
	})
}

func TestTimerThatHasFiredCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, beats := clockwork(script{})
		ref := spawn(t, newSystem(t), s)
		do(t, ref, func(ctx *actor.Context) error {
			timer := actor.After(ctx, time.Second, Note{})
			elapse(2 * time.Second) // the message waits by now
			timer.Stop()
			return nil
		})
		synctest.Wait()
		if len(*beats) != 0 {
			t.Error(*beats)
		}
	})
}

func TestTimersEndWithARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, beats := clockwork(script{})
		ref := spawn(t, newSystem(t), s)
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, time.Second, Note{})
			actor.Every(ctx, time.Second, Note{})
			return nil
		})
		_ = crash(ref)
		elapse(time.Minute)
		synctest.Wait()
		if len(*beats) != 0 {
			t.Error(*beats)
		}
	})
}

func TestTimersEndWithTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		system := newSystem(t, dead.option())
		s, beats := clockwork(script{})
		ref := spawn(t, system, s)
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, time.Second, Note{})
			actor.Every(ctx, time.Second, Note{})
			return nil
		})
		release := block(t, ref)
		elapse(time.Minute) // both wait in the mailbox
		go system.StopActor(t.Context(), ref)
		synctest.Wait()
		release()
		elapse(time.Minute)
		synctest.Wait()
		if len(*beats) != 0 || len(dead.get()) != 0 {
			t.Error(*beats, dead.get())
		}
	})
}

func TestTimersOutliveAFullMailbox(t *testing.T) {
	for _, overflow := range []mailbox.Overflow{mailbox.Reject, mailbox.Block, mailbox.DropOldest} {
		t.Run(overflow.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dead letters
				s, beats := clockwork(script{options: bounded(1, overflow)})
				ref := spawn(t, newSystem(t, dead.option()), s)
				do(t, ref, func(ctx *actor.Context) error {
					actor.Every(ctx, 10*time.Second, Note{})
					return nil
				})
				release := block(t, ref)
				if overflow != mailbox.DropOldest {
					run(t, ref, nothing) // fills it
				}
				elapse(15 * time.Second)
				if overflow == mailbox.DropOldest {
					run(t, ref, nothing) // pushes the beat out
				}
				if all := dead.get(); len(all) != 1 || all[0].Message != (Note{}) || all[0].Reason.Code != actor.ResourceExhausted {
					t.Errorf("a lost beat is a dead letter: %+v", all)
				}
				release()
				elapse(30 * time.Second)
				synctest.Wait()
				if len(*beats) < 2 {
					t.Error("the timer has died:", *beats)
				}
			})
		})
	}
}

// TestTimersThatFireAtOnce looks for races between a timer and its actor.
func TestTimersThatFireAtOnce(t *testing.T) {
	system := newSystem(t)
	fired := make(chan struct{}, 100)
	ref := spawn(t, system, script{options: bounded(16, mailbox.Reject), note: func(ctx *actor.Context, m Note) error {
		actor.After(ctx, 0, Note{}).Stop()
		if m.N > 0 {
			fired <- struct{}{}
			actor.After(ctx, 0, Note{N: m.N - 1})
		}
		return nil
	}})
	for range cap(fired) / 10 {
		tell(t, ref, Note{N: 10})
		for range 10 {
			<-fired
		}
	}
	do(t, ref, func(ctx *actor.Context) error {
		for range 20 { // more than there is room for
			actor.After(ctx, 0, Note{})
			actor.Every(ctx, 0, Note{})
		}
		return nil
	})
	if err := system.StopActor(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
}

func TestAStashedTimerMessageEndsWithItsTimer(t *testing.T) {
	for name, end := range map[string]func(ctx *actor.Context, timers []*actor.Timer){
		"stopped": func(ctx *actor.Context, timers []*actor.Timer) {
			for _, timer := range timers {
				timer.Stop()
			}
			ctx.Unstash()
		},
		"stopped once it waits in the mailbox again": func(ctx *actor.Context, timers []*actor.Timer) {
			ctx.Unstash()
			for _, timer := range timers {
				timer.Stop()
			}
		},
		"restarted": func(*actor.Context, []*actor.Timer) { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gate{}
				ref := spawn(t, newSystem(t), g.script())
				var timers []*actor.Timer
				do(t, ref, func(ctx *actor.Context) error {
					timers = append(timers, actor.After(ctx, time.Second, Note{N: 1}), actor.Every(ctx, 3*time.Second, Note{N: 2}))
					return nil
				})
				elapse(10 * time.Second)
				synctest.Wait()
				_, _ = compute(ref, func(ctx *actor.Context) (any, error) {
					g.open = true
					end(ctx, timers)
					return nil, nil
				})
				tell(t, ref, Note{N: 3})
				elapse(time.Minute)
				synctest.Wait()
				if !equal(g.got, []int{3}) {
					t.Error(g.got)
				}
			})
		})
	}
}

func TestAStashedBeatHoldsBackTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		ref := spawn(t, newSystem(t), g.script())
		do(t, ref, func(ctx *actor.Context) error {
			actor.After(ctx, time.Second, Note{N: 1})
			actor.Every(ctx, 10*time.Second, Note{N: 2})
			return nil
		})
		elapse(time.Minute)
		synctest.Wait()
		do(t, ref, g.opens)
		elapse(25 * time.Second)
		synctest.Wait()
		if !equal(g.got, []int{1, 2, 2, 2}) {
			t.Error(g.got)
		}
	})
}

func TestACrashOnATimersMessageIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead letters
		beats := 0
		resume := actor.Supervised(actor.Supervision{Decide: func(any) actor.Directive { return actor.Resume }})
		ref := spawn(t, newSystem(t, dead.option()), script{options: []actor.DefineOption{resume}, note: func(ctx *actor.Context, m Note) error {
			if beats++; beats < 3 {
				_ = ctx.Stash()
				panic("no")
			}
			return nil
		}})
		do(t, ref, func(ctx *actor.Context) error {
			actor.Every(ctx, time.Second, Note{N: 1})
			return nil
		})
		elapse(5*time.Second + time.Second/2)
		synctest.Wait()
		all := dead.get()
		if len(all) != 2 || all[0].Message != (Note{N: 1}) || all[0].Reason.Code != actor.Internal || beats != 5 {
			t.Errorf("%+v, and %d beats", all, beats)
		}
	})
}
