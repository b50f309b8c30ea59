package persistence_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestAnActorComesBackWithWhatItHasPersisted(t *testing.T) {
	store := newStore(t)
	system := newSystem(t)
	ada := spawn(t, system, accounts(store))
	ask(t, ada, Deposit{Amounts: []int{10}})
	if got := ask(t, ada, Deposit{Amounts: []int{1, 2, 3}}); got != (Balance{16, 4}) {
		t.Errorf("before: %+v", got)
	}
	stop(t, system, ada)
	ada = spawn(t, system, accounts(store))
	if got := ask(t, ada, Look{}); got != (Balance{16, 4}) {
		t.Errorf("after: %+v", got)
	}
}

func TestActorsAreKeptUnderTheirPathOrIdentity(t *testing.T) {
	store := newStore(t)
	system := newSystem(t)
	ask(t, spawn(t, system, accounts(store), actor.WithName("ada")), Deposit{Amounts: []int{1}})
	ask(t, spawn(t, system, accounts(store, persistence.Identity("accounts/ben")), actor.WithName("b")), Deposit{Amounts: []int{2, 3}})
	want := []string{
		"accounts/ben#event/00000000000000000001",
		"accounts/ben#event/00000000000000000002",
		"ada#event/00000000000000000001",
	}
	if got := keys(t, store, ""); !slices.Equal(got, want) {
		t.Errorf("keys %q", got)
	}
}

func TestEventsCarryTypeVersionAndContentType(t *testing.T) {
	store := newStore(t)
	ask(t, spawn(t, newSystem(t), accounts(store)), Deposit{Amounts: []int{1}})
	r, err := store.Get(t.Context(), "account#event/00000000000000000001")
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Metadata; m["type"] != "deposited" || m["version"] != "1" || m["content-type"] != "application/msgpack" {
		t.Errorf("metadata %v", m)
	}
}

func TestEventsOfAnotherCodecAreStillRead(t *testing.T) {
	store := newStore(t)
	json := actor.NewSystem(actor.WithCodec(actor.JSON{}))
	ask(t, spawn(t, json, accounts(store)), Deposit{Amounts: []int{7}})
	if err := json.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, spawn(t, newSystem(t), accounts(store)), Look{}); got.Amount != 7 {
		t.Errorf("%+v", got)
	}
}

func TestPersistingNothingWritesNothing(t *testing.T) {
	store := newStore(t)
	ask(t, spawn(t, newSystem(t), accounts(store)), Deposit{})
	if got := keys(t, store, ""); len(got) > 0 {
		t.Errorf("keys %q", got)
	}
}

func TestOfTwoWritersOneFailsAndCatchesUp(t *testing.T) {
	store := newStore(t)
	one := spawn(t, newSystem(t), accounts(store))
	two := spawn(t, newSystem(t), accounts(store))
	ask(t, one, Look{})
	ask(t, two, Look{}) // both have recovered
	ask(t, one, Deposit{Amounts: []int{1}})

	_, err := actor.Ask(t.Context(), two, Deposit{Amounts: []int{2}})
	if !errors.Is(err, persistence.ErrConflict) {
		t.Fatalf("the writer that fell behind got %v", err)
	}
	if got := ask(t, two, Deposit{Amounts: []int{2}}); got != (Balance{3, 2}) {
		t.Errorf("after it caught up: %+v", got)
	}
}

// TestAWriterFailsWhereTheStoreHasBeenSetBack has the store lose events, or get others,
// beside an actor that has them in its state, as when a backup is restored.
func TestAWriterFailsWhereTheStoreHasBeenSetBack(t *testing.T) {
	const second = "account#event/00000000000000000002"
	for what, c := range map[string]struct {
		recovered, others bool
		balance           Balance
	}{
		"events are gone":                {false, false, Balance{11, 2}},
		"events are others":              {false, true, Balance{13, 3}},
		"events are gone after recovery": {true, false, Balance{11, 2}},
	} {
		t.Run(what, func(t *testing.T) {
			store := newStore(t)
			account := spawn(t, newSystem(t), accounts(store))
			ask(t, account, Deposit{Amounts: []int{1, 2}}) // two events
			if c.recovered {
				account = spawn(t, newSystem(t), accounts(store))
				ask(t, account, Look{})
			}
			r, err := store.Get(t.Context(), second)
			if err == nil {
				_, err = persistence.Delete(t.Context(), store, second)
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.others {
				put(t, store, second, string(r.Value), r.Metadata)
			}
			if _, err := actor.Ask(t.Context(), account, Deposit{Amounts: []int{10}}); !errors.Is(err, persistence.ErrConflict) {
				t.Fatalf("the writer got %v", err)
			}
			if got := ask(t, account, Deposit{Amounts: []int{10}}); got != c.balance {
				t.Errorf("after it caught up: %+v", got)
			}
		})
	}
}

func TestAnUnknownEventKeepsTheActorFromStarting(t *testing.T) {
	for what, metadata := range map[string]map[string]string{
		"type":    {"type": "cancelled", "version": "1", "content-type": "application/msgpack"},
		"version": {"type": "deposited", "version": "2", "content-type": "application/msgpack"},
	} {
		t.Run(what, func(t *testing.T) {
			store := newStore(t)
			put(t, store, "account#event/00000000000000000001", "?", metadata)
			failure := startFailure(t, accounts(store))
			if !errors.Is(failure, persistence.ErrUnknownType) || !strings.Contains(failure.Error(), "00001") {
				t.Errorf("the actor failed with %v", failure)
			}
		})
	}
}

func TestDamagedEventsKeepTheActorFromStarting(t *testing.T) {
	good := map[string]string{"type": "deposited", "version": "1", "content-type": "application/json"}
	for what, damage := range map[string]func(s persistence.Store){
		"payload": func(s persistence.Store) { put(t, s, "account#event/00000000000000000002", "{", good) },
		"gap":     func(s persistence.Store) { put(t, s, "account#event/00000000000000000003", "{}", good) },
		"key":     func(s persistence.Store) { put(t, s, "account#event/2", "{}", good) },
		"no version": func(s persistence.Store) {
			put(t, s, "account#event/00000000000000000002", "{}", map[string]string{"type": "deposited"})
		},
		"first": func(s persistence.Store) { put(t, s, "account#first", "one", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			store := newStore(t)
			put(t, store, "account#event/00000000000000000001", "{}", good)
			damage(store)
			if failure := startFailure(t, accounts(store)); !errors.Is(failure, actor.DataLoss) {
				t.Errorf("the actor failed with %v", failure)
			}
		})
	}
}

func TestMistakesInTheOptionsAreReported(t *testing.T) {
	deposited := persistence.EventType[Deposited]("deposited")
	for what, options := range map[string][]persistence.JournalOption{
		"name twice":      {deposited, persistence.EventType[Withdrawn]("deposited")},
		"type twice":      {deposited, persistence.EventType[Deposited]("other")},
		"no name":         {persistence.EventType[Deposited]("")},
		"interface":       {persistence.EventType[Event]("event")},
		"not an Event":    {persistence.EventType[Balance]("balance")},
		"identity":        {persistence.Identity("a#b")},
		"no snapshot":     {persistence.SnapshotEvery[int](1, nil, nil)},
		"never":           {persistence.SnapshotEvery(0, func() int { return 0 }, func(int) {})},
		"upcaster result": {persistence.EventType[Deposited]("deposited", persistence.Upcast(1, func(int) (string, error) { return "", nil }))},
		"upcaster gap": {persistence.EventType[Deposited]("deposited",
			persistence.Upcast(1, func(int) (string, error) { return "", nil }),
			persistence.Upcast(3, func(string) (Deposited, error) { return Deposited{}, nil }))},
		"upcaster version": {persistence.EventType[Deposited]("deposited", persistence.Upcast(0, func(int) (Deposited, error) { return Deposited{}, nil }))},
		"upcaster nil":     {persistence.EventType[Deposited]("deposited", persistence.Upcast[int, Deposited](1, nil))},
	} {
		t.Run(what, func(t *testing.T) {
			definition := accountsOf(newStore(t), func(*account) []persistence.JournalOption { return options })
			if failure := startFailure(t, definition); !errors.Is(failure, actor.InvalidArgument) {
				t.Errorf("the actor failed with %v", failure)
			}
		})
	}
	t.Run("no store", func(t *testing.T) {
		if failure := startFailure(t, accounts(nil)); !errors.Is(failure, actor.InvalidArgument) {
			t.Errorf("the actor failed with %v", failure)
		}
	})
}

func TestMisuseFailsTheCall(t *testing.T) {
	for what, misuse := range map[string]func(ctx *actor.Context, a *account){
		"an event without EventType": func(ctx *actor.Context, a *account) { a.journal.Persist(ctx, unregistered{}) },
		"a nil event":                func(ctx *actor.Context, a *account) { a.journal.Persist(ctx, nil) },
		"recovering twice":           func(ctx *actor.Context, a *account) { ctx.Fail(a.journal.Recover(ctx)) },
		"persisting before Recover": func(ctx *actor.Context, a *account) {
			persistence.NewJournal(newStore(t), a.apply).Persist(ctx, Deposited{1})
		},
	} {
		t.Run(what, func(t *testing.T) {
			store := newStore(t)
			ref := spawn(t, newSystem(t), misusing(store, misuse))
			_, err := actor.Ask(t.Context(), ref, Look{})
			if !errors.Is(err, actor.InvalidArgument) && !errors.Is(err, actor.FailedPrecondition) && !errors.Is(err, persistence.ErrUnknownType) {
				t.Errorf("got %v", err)
			}
			if got := keys(t, store, ""); len(got) > 0 {
				t.Errorf("keys %q", got)
			}
		})
	}
}

func TestApplyCannotPersist(t *testing.T) {
	var nested *persistence.Journal[Event]
	ref := spawn(t, newSystem(t), misusing(newStore(t), func(ctx *actor.Context, a *account) {
		nested = persistence.NewJournal(newStore(t), func(Event) { nested.Persist(ctx, Deposited{1}) },
			persistence.EventType[Deposited]("deposited"))
		if err := nested.Recover(ctx); err != nil {
			t.Error(err)
		}
		nested.Persist(ctx, Deposited{1})
	}))
	if _, err := actor.Ask(t.Context(), ref, Look{}); !errors.Is(err, actor.FailedPrecondition) {
		t.Errorf("got %v", err)
	}
}

type unregistered struct{}

func (unregistered) isEvent() {}

// misusing defines an account that does something wrong when it is looked at.
func misusing(store persistence.Store, misuse func(ctx *actor.Context, a *account)) actor.Definition[Account] {
	return actor.Define("account", func() *account {
		a := new(account)
		a.journal = persistence.NewJournal(store, a.apply, persistence.EventType[Deposited]("deposited"))
		return a
	}, actor.OnCall(func(a *account, ctx *actor.Context, m Look) (Balance, error) {
		misuse(ctx, a)
		return Balance{}, nil
	}))
}

// startFailure returns why an actor does not start.
func startFailure(t *testing.T, d actor.Definition[Account]) error {
	t.Helper()
	failures := make(chan error, 1)
	ref := spawn(t, newSystem(t), d.With(actor.Supervised(actor.Supervision{Decide: func(failure any) actor.Directive {
		err, _ := failure.(error)
		failures <- err
		return actor.Stop
	}})))
	if _, err := actor.Ask(t.Context(), ref, Look{}); err == nil {
		t.Fatal("the actor has started")
	}
	return <-failures
}
