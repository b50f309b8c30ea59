package persistence_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// snapshots are the options of an account that takes snapshots.
func snapshots(a *account, every int, upcasters ...persistence.Upcaster) []persistence.JournalOption {
	return []persistence.JournalOption{
		persistence.EventType[Deposited]("deposited"),
		persistence.EventType[Withdrawn]("withdrawn"),
		persistence.SnapshotEvery(every,
			func() saved { return saved{a.balance} },
			func(s saved) { a.balance = s.Balance }, upcasters...),
	}
}

type saved struct{ Balance int }

func snapshotting(store persistence.Store, every int, options ...persistence.JournalOption) actor.Definition[Account] {
	return accountsOf(store, func(a *account) []persistence.JournalOption {
		return append(snapshots(a, every), options...)
	})
}

// event and snapshot are the keys of an account.
func event(n int) string    { return fmt.Sprintf("account#event/%020d", n) }
func snapshot(n int) string { return fmt.Sprintf("account#snapshot/%020d", n) }

// filled returns a store with an account that got n deposits of 1.
func filled(t *testing.T, n int, define func(persistence.Store) actor.Definition[Account]) persistence.Store {
	t.Helper()
	store := newStore(t)
	system := newSystem(t)
	ref := spawn(t, system, define(store))
	for range n {
		ask(t, ref, Deposit{Amounts: []int{1}})
	}
	stop(t, system, ref)
	return store
}

func TestRecoveryBeginsWithTheLatestSnapshot(t *testing.T) {
	store := filled(t, 25, func(s persistence.Store) actor.Definition[Account] { return snapshotting(s, 10) })
	if got := keys(t, store, "account#snapshot/"); !slices.Equal(got, []string{snapshot(10), snapshot(20)}) {
		t.Errorf("snapshots %q", got)
	}
	var replayed []uint64
	count := persistence.OnReplay(func(n, total uint64) { replayed = append(replayed, n, total) })
	got := ask(t, spawn(t, newSystem(t), snapshotting(store, 10, count)), Look{})
	if got != (Balance{25, 25}) || !slices.Equal(replayed, []uint64{5, 5}) {
		t.Errorf("%+v, replayed %d", got, replayed)
	}
}

func TestOldSnapshotsAreDeleted(t *testing.T) {
	store := filled(t, 65, func(s persistence.Store) actor.Definition[Account] {
		return snapshotting(s, 10, persistence.KeepSnapshots(3))
	})
	if got := keys(t, store, "account#snapshot/"); !slices.Equal(got, []string{snapshot(40), snapshot(50), snapshot(60)}) {
		t.Errorf("snapshots %q", got)
	}
}

func TestEventsAreKeptUnlessTheyAreToBeDeleted(t *testing.T) {
	for _, c := range []struct {
		first   string
		options []persistence.JournalOption
	}{
		{event(1), nil},
		{event(11), []persistence.JournalOption{persistence.DeleteOldEvents()}},
	} {
		store := filled(t, 25, func(s persistence.Store) actor.Definition[Account] { return snapshotting(s, 10, c.options...) })
		if got := keys(t, store, "account#event/"); got[0] != c.first {
			t.Errorf("the first event is %s, want %s", got[0], c.first)
		}
		if got := ask(t, spawn(t, newSystem(t), snapshotting(store, 10, c.options...)), Look{}); got != (Balance{25, 25}) {
			t.Errorf("%+v", got)
		}
	}
}

func TestALongJournalIsShortenedInParts(t *testing.T) {
	store := filled(t, 0, func(s persistence.Store) actor.Definition[Account] { return accounts(s) })
	ref := spawn(t, newSystem(t), snapshotting(store, 2500, persistence.DeleteOldEvents(), persistence.KeepSnapshots(1)))
	ask(t, ref, Deposit{Amounts: slices.Repeat([]int{1}, 2600)})
	if got := keys(t, store, "account#event/"); len(got) > 0 {
		t.Errorf("%d events are left", len(got))
	}
	if got := ask(t, spawn(t, newSystem(t), snapshotting(store, 2500)), Look{}); got != (Balance{2600, 2600}) {
		t.Errorf("%+v", got)
	}
}

func TestAWriterThatMissedADeletionFails(t *testing.T) {
	store := newStore(t)
	stale := spawn(t, newSystem(t), snapshotting(store, 5, persistence.DeleteOldEvents(), persistence.KeepSnapshots(1)))
	ask(t, stale, Look{})
	other := spawn(t, newSystem(t), snapshotting(store, 5, persistence.DeleteOldEvents(), persistence.KeepSnapshots(1)))
	for range 10 {
		ask(t, other, Deposit{Amounts: []int{1}})
	}
	// Event 1, which stale would write, is not there any more.
	if _, err := actor.Ask(t.Context(), stale, Deposit{Amounts: []int{1}}); !errors.Is(err, persistence.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if got := ask(t, stale, Look{}); got != (Balance{10, 10}) {
		t.Errorf("after it caught up: %+v", got)
	}
}

func TestABrokenSnapshotIsPassedOver(t *testing.T) {
	good := map[string]string{"version": "1", "content-type": "application/json"}
	future := map[string]string{"version": "9", "content-type": "application/json"}
	for _, c := range []struct {
		name     string
		damage   func(s persistence.Store)
		warnings int
	}{
		{"the latest", func(s persistence.Store) { put(t, s, snapshot(20), "}", good) }, 1},
		{"of a newer program", func(s persistence.Store) { put(t, s, snapshot(20), "{}", future) }, 1},
		{"both", func(s persistence.Store) {
			put(t, s, snapshot(10), "", nil)
			put(t, s, snapshot(20), "", nil)
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := filled(t, 25, func(s persistence.Store) actor.Definition[Account] { return snapshotting(s, 10) })
			c.damage(store)
			var log bytes.Buffer
			system := actor.NewSystem(actor.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			ref := spawn(t, system, snapshotting(store, 10))
			if got := ask(t, ref, Look{}); got != (Balance{25, 25}) {
				t.Errorf("%+v", got)
			}
			ask(t, ref, Deposit{Amounts: slices.Repeat([]int{1}, 10)}) // writes another one
			if err := system.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if got := strings.Count(log.String(), "level=WARN"); got != c.warnings {
				t.Errorf("%d warnings:\n%s", got, &log)
			}
			for _, key := range keys(t, store, "account#snapshot/") {
				if r, err := store.Get(t.Context(), key); err != nil || r.Metadata["content-type"] != "application/msgpack" {
					t.Errorf("%s is still %v (%v)", key, r.Metadata, err)
				}
			}
		})
	}
}

func TestWithoutEventsASnapshotIsNeeded(t *testing.T) {
	store := filled(t, 25, func(s persistence.Store) actor.Definition[Account] {
		return snapshotting(s, 10, persistence.DeleteOldEvents())
	})
	put(t, store, snapshot(10), "", nil)
	put(t, store, snapshot(20), "", nil)
	if failure := startFailure(t, snapshotting(store, 10)); !errors.Is(failure, actor.DataLoss) {
		t.Errorf("the actor failed with %v", failure)
	}
}

func TestASnapshotThatIsNotWrittenIsNotMissed(t *testing.T) {
	store := &faulty{Store: newStore(t)}
	system := newSystem(t)
	ref := spawn(t, system, snapshotting(store, 2))
	ask(t, ref, Look{})
	store.failing(func(call int, _ string) fault {
		if call == 3 { // two events, and then the snapshot
			return refused
		}
		return none
	})
	for range 3 {
		ask(t, ref, Deposit{Amounts: []int{1}})
	}
	if got := keys(t, store, "account#snapshot/"); !slices.Equal(got, []string{snapshot(3)}) {
		t.Errorf("snapshots %q: it is tried again at the next event", got)
	}
}

func TestOldSnapshotsAreUpcast(t *testing.T) {
	store := newStore(t)
	put(t, store, snapshot(7), `{"Cents":1200}`, map[string]string{"version": "1", "content-type": "application/json"})
	type savedV1 struct{ Cents int }
	definition := accountsOf(store, func(a *account) []persistence.JournalOption {
		return snapshots(a, 10, persistence.Upcast(1, func(old savedV1) (saved, error) { return saved{old.Cents / 100}, nil }))
	})
	if got := ask(t, spawn(t, newSystem(t), definition), Look{}); got != (Balance{12, 7}) {
		t.Errorf("%+v", got)
	}
}
