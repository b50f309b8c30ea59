package persistence_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// The protocol of the account that the tests keep.
type (
	Account struct{}

	Deposit struct {
		actor.Call[Account, Balance]
		Amounts []int // one event each, all or none
	}
	// Move can be sent again: it has a key.
	Move struct {
		actor.Call[Account, Balance]
		Key    string
		Amount int // negative to take out
	}
	Look struct{ actor.Call[Account, Balance] }

	Balance struct {
		Amount   int
		Sequence uint64
	}
)

var errOverdrawn = actor.NewError(actor.FailedPrecondition, "overdrawn")

// Event is what can happen to an account.
type Event interface{ isEvent() }

type (
	Deposited struct{ Amount int }
	Withdrawn struct{ Amount int }
)

func (Deposited) isEvent() {}
func (Withdrawn) isEvent() {}

type account struct {
	journal *persistence.Journal[Event]
	balance int
}

// accounts defines accounts in store. Their types of events come before options.
func accounts(store persistence.Store, options ...persistence.JournalOption) actor.Definition[Account] {
	return accountsOf(store, func(a *account) []persistence.JournalOption {
		return append([]persistence.JournalOption{
			persistence.EventType[Deposited]("deposited"),
			persistence.EventType[Withdrawn]("withdrawn"),
		}, options...)
	})
}

func accountsOf(store persistence.Store, options func(a *account) []persistence.JournalOption) actor.Definition[Account] {
	return actor.Define("account", func() *account {
		a := new(account)
		a.journal = persistence.NewJournal(store, a.apply, options(a)...)
		return a
	}, actor.OnCall((*account).deposit), actor.OnCall((*account).move), actor.OnCall((*account).look))
}

func (a *account) Started(ctx *actor.Context) error { return a.journal.Recover(ctx) }

func (a *account) apply(e Event) {
	switch e := e.(type) {
	case Deposited:
		a.balance += e.Amount
	case Withdrawn:
		a.balance -= e.Amount
	}
}

func (a *account) deposit(ctx *actor.Context, m Deposit) (Balance, error) {
	var events []Event
	for _, amount := range m.Amounts {
		events = append(events, Deposited{amount})
	}
	a.journal.Persist(ctx, events...)
	return a.look(ctx, Look{})
}

func (a *account) move(ctx *actor.Context, m Move) (Balance, error) {
	return persistence.PersistOnce(ctx, a.journal, m.Key, func() (Balance, []Event, error) {
		after := Balance{a.balance + m.Amount, a.journal.Sequence() + 1}
		switch {
		case after.Amount < 0:
			return Balance{}, nil, errOverdrawn
		case m.Amount < 0:
			return after, []Event{Withdrawn{-m.Amount}}, nil
		}
		return after, []Event{Deposited{m.Amount}}, nil
	})
}

func (a *account) look(*actor.Context, Look) (Balance, error) {
	return Balance{a.balance, a.journal.Sequence()}, nil
}

// newSystem returns a system that ends with the test.
func newSystem(t testing.TB) *actor.System {
	t.Helper()
	system := actor.NewSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		if err := system.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return system
}

func spawn[P any](t testing.TB, by actor.Spawner, d actor.Definition[P], options ...actor.SpawnOption) actor.Ref[P] {
	t.Helper()
	ref, err := actor.Spawn(by, d, options...)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// ask fails the test if the request fails.
func ask[P, R any, Q actor.Request[P, R]](t testing.TB, to actor.Ref[P], q Q) R {
	t.Helper()
	reply, err := actor.Ask(t.Context(), to, q)
	if err != nil {
		t.Fatalf("%T: %v", q, err)
	}
	return reply
}

// stop ends an actor, so that another one can take its name.
func stop(t testing.TB, system *actor.System, ref actor.Addressable) {
	t.Helper()
	if err := system.StopActor(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
}
