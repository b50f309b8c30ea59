package persistence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestRemindersReportMistakes(t *testing.T) {
	store, d := newStore(t), newDiary()
	system, elsewhere := newSystem(t), newSystem(t)
	ref, stranger := spawn(t, system, d.sleepers()), spawn(t, elsewhere, d.sleepers())
	r := remember(t, store, system, persistence.ReminderConfig{})
	for what, err := range map[string]error{
		"no name":       persistence.Remind(t.Context(), r, ref, "", in(time.Minute), Wake{}),
		"no time":       persistence.Remind(t.Context(), r, ref, "x", persistence.Schedule{}, Wake{}),
		"too often":     persistence.Remind(t.Context(), r, ref, "x", persistence.Schedule{Every: time.Millisecond}, Wake{}),
		"a stranger":    persistence.Remind(t.Context(), r, stranger, "x", in(time.Minute), Wake{}),
		"nobody":        persistence.Remind(t.Context(), r, actor.Ref[Sleeper]{}, "x", in(time.Minute), Wake{}),
		"cancel nobody": r.Cancel(t.Context(), actor.Address{}, "x"),
		"no store":      newReminders(nil, system, persistence.ReminderConfig{}),
		"no system":     newReminders(store, nil, persistence.ReminderConfig{}),
		"a bad timeout": newReminders(store, system, persistence.ReminderConfig{Timeout: -1}),
	} {
		if !errors.Is(err, actor.InvalidArgument) {
			t.Errorf("%s: %v", what, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := persistence.Remind(gone, r, ref, "x", in(time.Minute), Wake{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if left := keys(t, store, ""); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func newReminders(store persistence.Store, system *actor.System, config persistence.ReminderConfig) error {
	_, err := persistence.NewReminders(store, system, config)
	return err
}

func TestDamagedRemindersDisturbNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		put(t, store, "#due/", "", nil)
		put(t, store, "#due/00000000000000000001/sleeper#x", "", nil)
		put(t, store, "#reminder/sleeper#x", "?", nil)
		put(t, store, "#due/00000000000000000002/sleeper#y", "", nil) // has no other record
		ref := spawn(t, system, d.sleepers())
		remind(t, remember(t, store, system, persistence.ReminderConfig{}), ref, "z", in(time.Minute))
		wait(t, time.Minute)
		d.expect(t, "1m0s z")
	})
}

func TestADamagedReminderDisturbsNoneOfItsActor(t *testing.T) {
	store, d, system := newStore(t), newDiary(), newSystem(t)
	ref := spawn(t, system, d.sleepers())
	var log bytes.Buffer
	r := remember(t, store, system, persistence.ReminderConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	remind(t, r, ref, "good", in(time.Hour))
	put(t, store, "#reminder/sleeper#x", "?", nil)
	put(t, store, "#reminder/sleeper#y", "?", map[string]string{"due": "10001-01-01T00:00:00Z"})
	for range 2 {
		if list, err := r.List(t.Context(), ref); err != nil || len(list) != 1 || list[0].Name != "good" {
			t.Errorf("listed %+v, %v", list, err)
		}
	}
	if n := strings.Count(log.String(), "damaged"); n != 2 || !strings.Contains(log.String(), "#x") {
		t.Errorf("logged %d times: %s", n, &log)
	}
	remind(t, r, ref, "y", in(time.Hour))
	if err := r.Cancel(t.Context(), ref, "x"); err != nil {
		t.Error(err)
	}
	if list, err := r.List(t.Context(), ref); err != nil || len(list) != 2 || list[1].Name != "y" {
		t.Errorf("listed %+v, %v", list, err)
	}
}

// TestDamagedRemindersHoldUpNobody has more of them than there are workers, all of the
// actor that also has a good one.
func TestDamagedRemindersHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		for i := range 300 {
			put(t, store, fmt.Sprintf("#due/00000000000000000001/sleeper#%d", i), "", nil)
			put(t, store, fmt.Sprintf("#reminder/sleeper#%d", i), "?", nil)
		}
		r := remember(t, store, system, persistence.ReminderConfig{})
		remind(t, r, ref, "good", in(0))
		d.expect(t, "0s good")
		remind(t, r, ref, "1", in(time.Second)) // in the place of a damaged one
		wait(t, 2*time.Minute)
		d.expect(t, "0s good", "1s 1")
		if list, err := r.List(t.Context(), ref); err != nil || len(list) != 0 {
			t.Errorf("listed %+v, %v", list, err)
		}
	})
}

func TestAReminderComesWhenItIsDueOrIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d, system := newStore(t), newDiary(), newSystem(t)
		ref := spawn(t, system, d.sleepers())
		r := remember(t, store, system, persistence.ReminderConfig{})
		date := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.FixedZone("old", 3208)) }
		const century = 876_000 * time.Hour
		for what, when := range map[string]persistence.Schedule{
			"year 9999":            {First: date(9999)},
			"year 9999, repeated":  {First: date(9999), Every: time.Hour},
			"year 2263":            {First: date(2263)},
			"year 12345":           {First: date(12345)},
			"year -1":              {First: date(-1)},
			"every 292 years":      {Every: 1<<63 - 1},
			"a second far away":    {First: date(2200), Every: century},
			"a second far away, 2": {First: date(1000), Every: 1<<63 - 1},
		} {
			if err := persistence.Remind(t.Context(), r, ref, what, when, Wake{Why: what}); !errors.Is(err, actor.InvalidArgument) {
				t.Errorf("%s: %v, want InvalidArgument", what, err)
			}
		}
		d.expect(t)
		remind(t, r, ref, "2262", persistence.Schedule{First: date(2262)})
		remind(t, r, ref, "in a century", in(century))
		remind(t, r, ref, "year 2, repeated", persistence.Schedule{First: date(2), Every: century})
		d.expect(t, "0s year 2, repeated")
		remind(t, r, ref, "year 1600", persistence.Schedule{First: date(1600)})
		d.expect(t, "0s year 2, repeated", "0s year 1600")
		list, err := r.List(t.Context(), ref)
		if err != nil || len(list) != 3 || !list[0].Due.Equal(date(2262)) || list[2].Due.Before(time.Now()) {
			t.Errorf("listed %+v, %v", list, err)
		}
		if err := r.Cancel(t.Context(), ref, "2262"); err != nil {
			t.Error(err)
		}
	})
}

// TestHangingHandlersHoldUpNobody has actors that hang in their reminders, many with one
// or one with many, all of which are due before those of a healthy one.
func TestHangingHandlersHoldUpNobody(t *testing.T) {
	actors := 1000
	if n, err := strconv.Atoi(os.Getenv("TROUPE_HANGING")); err == nil {
		actors = n
	}
	for what, each := range map[string]func(i int, hanging []actor.Ref[Sleeper]) actor.Ref[Sleeper]{
		"each of its own actor": func(i int, hanging []actor.Ref[Sleeper]) actor.Ref[Sleeper] { return hanging[i] },
		"all of one actor":      func(_ int, hanging []actor.Ref[Sleeper]) actor.Ref[Sleeper] { return hanging[0] },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, d, hung, system := newStore(t), newDiary(), newDiary(), newSystem(t)
				hung.answer = func(ctx context.Context, _ Wake) error { <-ctx.Done(); return ctx.Err() }
				hanging := make([]actor.Ref[Sleeper], actors)
				for i := range hanging {
					hanging[i] = spawn(t, system, hung.sleepers(), actor.WithName(fmt.Sprint("hanging-", i)))
				}
				ref := spawn(t, system, d.sleepers())
				r := remember(t, store, system, persistence.ReminderConfig{})
				var all sync.WaitGroup
				for i := range hanging {
					all.Go(func() { remind(t, r, each(i, hanging), fmt.Sprint(i), in(time.Second)) })
				}
				all.Wait()
				remind(t, r, ref, "healthy", in(2*time.Second))
				remind(t, r, ref, "again", in(150*time.Second)) // after the hanging ones have come again
				wait(t, 151*time.Second)
				for i, want := range []time.Duration{2 * time.Second, 150 * time.Second} {
					if i >= len(d.entries) {
						t.Fatalf("heard %q", d.entries)
					}
					text, _, _ := strings.Cut(d.entries[i], " ")
					if at, err := time.ParseDuration(text); err != nil || at-want > 100*time.Millisecond {
						t.Errorf("heard %q, want it after %v", d.entries[i], want)
					}
				}
			})
		})
	}
}

func FuzzRecordsOfReminders(f *testing.F) {
	f.Add("00000000000000000001/sleeper#x", "sleeper#x", "2000-01-01T00:00:00Z", "1m", "0")
	f.Add("x", "sleeper", "2000-01-01", "1", "-1")
	store := newStore(f)
	f.Fuzz(func(t *testing.T, due, key, at, every, failures string) {
		system := newSystem(t)
		ref := spawn(t, system, newDiary().sleepers())
		put(t, store, "#reminder/"+key, "?", map[string]string{"due": at, "next": at, "every": every, "failures": failures})
		put(t, store, "#due/"+due, "", nil)
		r := remember(t, store, system, persistence.ReminderConfig{})
		_, _ = r.List(t.Context(), ref)
		_ = r.Cancel(t.Context(), ref, "x")
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for _, left := range keys(t, store, "") {
			if _, err := persistence.Delete(t.Context(), store, left); err != nil {
				t.Error(err)
			}
		}
	})
}
