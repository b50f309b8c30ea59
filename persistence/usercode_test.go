package persistence_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// eachFailure runs f for both ways in which code of a user can leave.
func eachFailure(t *testing.T, f func(t *testing.T, fail func())) {
	for name, fail := range map[string]func(){
		"panic":          func() { panic("no coffee") },
		"runtime.Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) { f(t, fail) })
	}
}

// fails returns the error of an ask, which must not be that of its deadline.
func fails(t *testing.T, ref actor.Ref[Account], m Move) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := actor.Ask(ctx, ref, m)
	if err == nil || ctx.Err() != nil {
		t.Fatalf("got the error %v", err)
	}
	return err
}

func TestASnapshotThatCannotBeTakenIsNotMissed(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		store := newStore(t)
		failing := true
		d := accountsOf(store, func(a *account) []persistence.JournalOption {
			return append(snapshots(a, 2)[:2], persistence.SnapshotEvery(2, func() saved {
				if failing {
					fail()
				}
				return saved{a.balance}
			}, func(s saved) { a.balance = s.Balance }))
		})
		ref := spawn(t, newSystem(t), d)
		for n := 1; n <= 4; n++ {
			if got := ask(t, ref, Deposit{Amounts: []int{1}}); got != (Balance{n, uint64(n)}) {
				t.Error(got)
			}
		}
		failing = false
		ask(t, ref, Deposit{Amounts: []int{1}})
		if got := keys(t, store, "account#snapshot/"); len(got) != 1 {
			t.Errorf("snapshots %q", got)
		}
	})
}

func TestARecoveryOutlivesAFailureOfWhoWatchesIt(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		store := filled(t, 5, func(s persistence.Store) actor.Definition[Account] { return accounts(s) })
		d := accounts(store, persistence.OnReplay(func(uint64, uint64) { fail() }))
		if got := ask(t, spawn(t, newSystem(t), d), Look{}); got != (Balance{5, 5}) {
			t.Error(got)
		}
	})
}

func TestAnUpcasterThatFailsIsNamed(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		store := filled(t, 1, func(s persistence.Store) actor.Definition[Account] { return accounts(s) })
		reason := make(chan string, 1)
		d := accountsOf(store, func(*account) []persistence.JournalOption {
			return []persistence.JournalOption{persistence.EventType[Deposited]("deposited",
				persistence.Upcast(1, func(Deposited) (Deposited, error) { fail(); return Deposited{}, nil }))}
		}).With(actor.Supervised(actor.Supervision{Decide: func(failure any) actor.Directive {
			reason <- failure.(error).Error()
			return actor.Stop
		}}))
		err := fails(t, spawn(t, newSystem(t), d), Move{Key: "k", Amount: 1})
		if e := actor.AsError(err); !e.NotRun {
			t.Error(err)
		}
		if why := <-reason; !strings.Contains(why, event(1)) || !strings.Contains(why, "upcaster") {
			t.Error(why)
		}
	})
}

func TestADecisionThatFailsFailsItsMessage(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		store := newStore(t)
		failing := true
		ref, err := actor.Spawn(newSystem(t), actor.Define("account", func() *account {
			a := new(account)
			a.journal = persistence.NewJournal(store, a.apply, persistence.EventType[Deposited]("deposited"))
			return a
		}, actor.OnCall(func(a *account, ctx *actor.Context, m Move) (Balance, error) {
			return persistence.PersistOnce(ctx, a.journal, m.Key, func() (Balance, []Event, error) {
				if failing {
					fail()
				}
				return Balance{m.Amount, 1}, []Event{Deposited{m.Amount}}, nil
			})
		})))
		if err != nil {
			t.Fatal(err)
		}
		if err := fails(t, ref, Move{Key: "k", Amount: 7}); actor.CodeOf(err) != actor.Internal {
			t.Error(err)
		}
		failing = false
		if got, err := actor.Ask(t.Context(), ref, Move{Key: "k", Amount: 7}); err != nil || got.Amount != 7 {
			t.Error(got, err)
		}
	})
}

func TestAnApplyThatFailsFailsItsMessage(t *testing.T) {
	eachFailure(t, func(t *testing.T, fail func()) {
		store := newStore(t)
		failures := 1
		ref, err := actor.Spawn(newSystem(t), actor.Define("account", func() *account {
			a := new(account)
			a.journal = persistence.NewJournal(store, func(e Event) {
				if failures--; failures >= 0 {
					fail()
				}
				a.apply(e)
			}, persistence.EventType[Deposited]("deposited"))
			return a
		}, actor.OnCall((*account).deposit), actor.OnCall((*account).move), actor.OnCall((*account).look)))
		if err != nil {
			t.Fatal(err)
		}
		if err := fails(t, ref, Move{Key: "k", Amount: 7}); actor.CodeOf(err) != actor.Internal {
			t.Error(err)
		}
		if got := ask(t, ref, Look{}); got.Amount != 7 {
			t.Errorf("%+v: it has happened", got)
		}
	})
}
