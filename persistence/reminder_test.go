package persistence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// The protocol of an actor that is reminded.
type (
	Sleeper struct{}

	Wake struct {
		actor.Call[Sleeper, Awake]
		Why string
	}
	Awake struct{}
)

// diary is what all sleepers of a test heard, and since when.
type diary struct {
	mu      sync.Mutex
	begin   time.Time
	entries []string
	answer  func(ctx context.Context, m Wake) error
}

func newDiary() *diary { return &diary{begin: time.Now()} }

func (d *diary) sleepers() actor.Definition[Sleeper] {
	return actor.Define("sleeper", func() *diary { return d }, actor.OnCall((*diary).wake))
}

func (d *diary) wake(ctx *actor.Context, m Wake) (Awake, error) {
	d.mu.Lock()
	d.entries = append(d.entries, fmt.Sprintf("%v %s", time.Since(d.begin), m.Why))
	answer := d.answer
	d.mu.Unlock()
	if answer != nil {
		return Awake{}, answer(ctx, m)
	}
	return Awake{}, nil
}

func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.entries, want) {
		t.Errorf("heard %q, want %q", d.entries, want)
	}
}

// remember starts reminders that end with the test.
func remember(t *testing.T, store persistence.Store, system *actor.System, config persistence.ReminderConfig) *persistence.Reminders {
	t.Helper()
	r, err := persistence.NewReminders(store, system, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func in(d time.Duration) persistence.Schedule {
	return persistence.Schedule{First: time.Now().Add(d)}
}

func remind(t *testing.T, r *persistence.Reminders, to actor.Ref[Sleeper], name string, when persistence.Schedule) {
	t.Helper()
	if err := persistence.Remind(t.Context(), r, to, name, when, Wake{Why: name}); err != nil {
		t.Fatal(err)
	}
}

func TestRemindersComeWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		r := remember(t, store, system, persistence.ReminderConfig{})
		remind(t, r, ref, "late", in(10*time.Minute))
		remind(t, r, ref, "soon", in(time.Second))
		remind(t, r, ref, "past", in(-time.Minute))
		d.expect(t, "0s past")
		wait(t, time.Second)
		d.expect(t, "0s past", "1s soon")
		wait(t, 10*time.Minute)
		d.expect(t, "0s past", "1s soon", "10m0s late")
		if left := keys(t, store, ""); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
}

func TestRemindersComeAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d := newStore(t), newDiary()
		system := newSystem(t)
		r := remember(t, store, system, persistence.ReminderConfig{})
		ref := spawn(t, system, d.sleepers())
		remind(t, r, ref, "missed", in(time.Minute))
		remind(t, r, ref, "to come", in(3*time.Minute))
		if err := errors.Join(r.Close(), r.Close(), system.Stop(t.Context())); err != nil {
			t.Error(err)
		}
		wait(t, 2*time.Minute) // nothing runs
		d.expect(t)

		system = newSystem(t)
		spawn(t, system, d.sleepers())
		remember(t, store, system, persistence.ReminderConfig{})
		d.expect(t, "2m0s missed")
		wait(t, time.Minute)
		d.expect(t, "2m0s missed", "3m0s to come")
	})
}

func TestAReminderRepeatsAndSkipsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d := newStore(t), newDiary()
		system := newSystem(t)
		r := remember(t, store, system, persistence.ReminderConfig{})
		remind(t, r, spawn(t, system, d.sleepers()), "tick", persistence.Schedule{Every: time.Minute})
		wait(t, 2*time.Minute)
		d.expect(t, "1m0s tick", "2m0s tick")
		if err := errors.Join(r.Close(), system.Stop(t.Context())); err != nil {
			t.Error(err)
		}
		wait(t, 150*time.Second)

		system = newSystem(t)
		spawn(t, system, d.sleepers())
		remember(t, store, system, persistence.ReminderConfig{})
		wait(t, time.Minute)
		d.expect(t, "1m0s tick", "2m0s tick", "4m30s tick", "5m0s tick")
	})
}

func TestARepeatedReminderCanBeSetAgainWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		r := remember(t, store, system, persistence.ReminderConfig{})
		for range 4 { // as a program does that starts every 40 seconds
			remind(t, r, ref, "tick", persistence.Schedule{Every: time.Minute})
			wait(t, 40*time.Second)
		}
		d.expect(t, "1m0s tick", "2m0s tick")
		remind(t, r, ref, "tick", persistence.Schedule{Every: 2 * time.Minute}) // another one
		wait(t, 2*time.Minute)
		d.expect(t, "1m0s tick", "2m0s tick", "4m40s tick")
	})
}

func TestAReminderComesAgainUntilItIsHandled(t *testing.T) {
	for what, failing := range map[string]func(ctx context.Context, m Wake) error{
		"an error": func(context.Context, Wake) error { return errors.New("not now") },
		"a crash":  func(context.Context, Wake) error { panic("not now") },
		"too slow": func(ctx context.Context, _ Wake) error { <-ctx.Done(); return nil },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, d, system := newStore(t), newDiary(), newSystem(t)
				d.answer = failing
				ref := spawn(t, system, d.sleepers().With(fast))
				r := remember(t, store, system, persistence.ReminderConfig{Timeout: time.Nanosecond})
				remind(t, r, ref, "x", in(0))
				wait(t, 4*time.Second) // tried at 0, 1 and 3 seconds
				list, err := r.List(t.Context(), ref)
				if err != nil || len(list) != 1 || list[0].Failures != 3 || !list[0].Due.Equal(d.begin) {
					t.Errorf("listed %+v, %v", list, err)
				}
				d.mu.Lock()
				d.answer, d.entries = nil, nil
				d.mu.Unlock()
				wait(t, time.Minute)
				if len(d.entries) != 1 || len(keys(t, store, "")) > 0 {
					t.Errorf("heard %q, left %q", d.entries, keys(t, store, ""))
				}
			})
		})
	}
}

func TestAReminderWaitsForItsActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		var log bytes.Buffer
		r := remember(t, store, system, persistence.ReminderConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stop(t, system, ref)
		remind(t, r, ref, "x", in(0))
		wait(t, 10*time.Minute)
		spawn(t, system, d.sleepers())
		wait(t, time.Minute)
		if len(d.entries) != 1 {
			t.Errorf("heard %q", d.entries)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "\n"); n < 14 || n > 16 {
			t.Errorf("%d tries in ten minutes", n)
		}
	})
}

func TestAReminderCanBeReplacedAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		other := spawn(t, system, d.sleepers(), actor.WithName("other"))
		r := remember(t, store, system, persistence.ReminderConfig{})
		remind(t, r, ref, "replaced", in(time.Minute))
		remind(t, r, other, "replaced", in(2*time.Minute)) // of another actor
		remind(t, r, ref, "replaced", in(3*time.Minute))
		remind(t, r, ref, "taken back", persistence.Schedule{Every: time.Minute})
		list, err := r.List(t.Context(), ref)
		want := persistence.Reminder{Name: "taken back", Message: "persistence_test.Wake", Due: list[1].Due, Every: time.Minute}
		if err != nil || len(list) != 2 || list[1] != want || !want.Due.Equal(d.begin.Add(time.Minute)) {
			t.Errorf("listed %+v, %v", list, err)
		}
		for range 2 { // the second time there is none
			if err := r.Cancel(t.Context(), ref, "taken back"); err != nil {
				t.Error(err)
			}
		}
		wait(t, 10*time.Minute)
		d.expect(t, "2m0s replaced", "3m0s replaced")
	})
}

func TestAReminderThatIsReplacedWhileItIsSentIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		r := remember(t, store, system, persistence.ReminderConfig{})
		d.answer = func(context.Context, Wake) error {
			d.answer = nil
			return persistence.Remind(t.Context(), r, ref, "x", in(time.Minute), Wake{Why: "again"})
		}
		remind(t, r, ref, "x", in(0))
		wait(t, time.Minute)
		d.expect(t, "0s x", "1m0s again")
	})
}

func TestAHandlerMaySetItsOwnRepeatedReminder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		r := remember(t, store, system, persistence.ReminderConfig{})
		every := persistence.Schedule{Every: time.Minute}
		d.answer = func(_ context.Context, m Wake) error {
			return persistence.Remind(t.Context(), r, ref, "x", every, Wake{Why: m.Why + "'"})
		}
		remind(t, r, ref, "x", every)
		wait(t, 3*time.Minute)
		d.expect(t, "1m0s x", "2m0s x'", "3m0s x''")
	})
}

func TestManyRemindersThatAreDueAtOnceAllCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		r := remember(t, store, system, persistence.ReminderConfig{})
		ref := spawn(t, system, d.sleepers())
		const n = 500
		for i := range n {
			remind(t, r, ref, fmt.Sprint(i), in(time.Minute))
		}
		wait(t, time.Minute)
		if len(d.entries) != n || len(keys(t, store, "")) > 0 {
			t.Errorf("heard %d, left %d", len(d.entries), len(keys(t, store, "")))
		}
	})
}

// Each call of the store fails in turn: the reminder comes all the same, though
// perhaps twice.
func TestAFailingStoreLosesNoReminder(t *testing.T) {
	for _, what := range []fault{refused, unheard} {
		for call := 1; call <= 8; call++ {
			synctest.Test(t, func(t *testing.T) {
				store, d, system := &faulty{Store: newStore(t)}, newDiary(), newSystem(t)
				ref := spawn(t, system, d.sleepers())
				r := remember(t, store, system, persistence.ReminderConfig{})
				remind(t, r, ref, "x", in(time.Minute))
				synctest.Wait()
				store.failing(func(n int, method string) fault {
					if n != call || what == unheard && method != "Commit" {
						return none
					}
					return what
				})
				wait(t, 2*time.Minute)
				store.failing(nil)
				if n := len(d.entries); n < 1 || n > 2 || len(keys(t, store, "")) > 0 {
					t.Errorf("fault %d at call %d: heard %q, left %q", what, call, d.entries, keys(t, store, ""))
				}
			})
		}
	}
}
