package main

import (
	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// Moved is the event that an account keeps.
type Moved struct{ Amount int }

// account is what its events have made of it. It is owned by one actor: no locks.
type account struct {
	journal *persistence.Journal[Moved]
	balance int
}

// accountIn defines the account with that name, kept in store.
func accountIn(store persistence.Store, name string) actor.Definition[Account] {
	return actor.Define(name, func() *account {
		a := new(account)
		a.journal = persistence.NewJournal(store, a.apply,
			persistence.EventType[Moved]("moved"),
			persistence.SnapshotEvery(100, a.snapshot, a.restore))
		return a
	}, actor.OnCall((*account).move), actor.OnCall((*account).show))
}

// Started brings the account back.
func (a *account) Started(ctx *actor.Context) error { return a.journal.Recover(ctx) }

func (a *account) apply(e Moved) { a.balance += e.Amount }

func (a *account) snapshot() int { return a.balance }

func (a *account) restore(balance int) { a.balance = balance }

func (a *account) move(ctx *actor.Context, m Move) (Balance, error) {
	return persistence.PersistOnce(ctx, a.journal, m.ID, func() (Balance, []Moved, error) {
		after := a.balance + m.Amount
		if after < 0 {
			return Balance{}, nil, errOverdrawn
		}
		return Balance{after, a.journal.Sequence() + 1}, []Moved{{m.Amount}}, nil
	})
}

func (a *account) show(*actor.Context, Show) (Balance, error) {
	return Balance{a.balance, a.journal.Sequence()}, nil
}
