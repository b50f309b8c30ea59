package persistence_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// fast restarts failed actors without much of a pause.
var fast = actor.Supervised(actor.Supervision{MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond})

// A run of operations is repeated with a fault at each call of the store in turn.
// Whatever fails: what was answered with success is there, what was not is there
// once or not at all, and the actor goes on.
func TestAFailingStoreNeverMeansSuccess(t *testing.T) {
	for _, what := range []fault{refused, unheard} {
		calls := 1
		for call := 1; call <= calls; call++ {
			t.Run(fmt.Sprintf("fault %d at call %d", what, call), func(t *testing.T) {
				store := &faulty{Store: newStore(t)}
				ref := spawn(t, newSystem(t), accountsOf(store, func(a *account) []persistence.JournalOption {
					return append(snapshots(a, 2), persistence.DeleteOldEvents())
				}).With(fast))
				store.failing(func(n int, method string) fault {
					if n != call || what == unheard && method != "Commit" {
						return none
					}
					return what
				})
				acknowledged, lost := 0, 0
				for i := range 6 {
					amount := 1 << i
					if _, err := actor.Ask(t.Context(), ref, Deposit{Amounts: []int{amount}}); err != nil {
						// A deletion of events that was unheard makes the next write conflict.
						if !errors.Is(err, actor.Unavailable) && !errors.Is(err, persistence.ErrConflict) {
							t.Errorf("got %v", err)
						}
						lost += amount
						continue
					}
					acknowledged += amount
				}
				calls = max(calls, store.callCount())
				store.failing(nil)
				got := ask(t, ref, Look{}).Amount
				if got&acknowledged != acknowledged || got&^(acknowledged|lost) != 0 {
					t.Errorf("the balance is %06b: acknowledged are %06b, unknown %06b", got, acknowledged, lost)
				}
			})
		}
	}
}

func TestOnceHappensOnceWhateverFails(t *testing.T) {
	for _, what := range []fault{refused, unheard} {
		calls := 1
		for call := 1; call <= calls; call++ {
			t.Run(fmt.Sprintf("fault %d at call %d", what, call), func(t *testing.T) {
				store := &faulty{Store: newStore(t)}
				ref := spawn(t, newSystem(t), accounts(store).With(fast))
				store.failing(func(n int, method string) fault {
					if n != call || what == unheard && method != "Commit" {
						return none
					}
					return what
				})
				for i := range 4 {
					m := Move{Key: fmt.Sprint(i), Amount: 1 << i}
					var reply Balance
					for err := errors.New("not sent"); err != nil; {
						reply, err = actor.Ask(t.Context(), ref, m)
					}
					if want := (Balance{1<<(i+1) - 1, uint64(i + 1)}); reply != want {
						t.Errorf("reply %+v, want %+v", reply, want)
					}
				}
				calls = max(calls, store.callCount())
				if got := ask(t, ref, Look{}); got != (Balance{15, 4}) {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

func TestNothingIsAppliedBeforeItIsDurable(t *testing.T) {
	store := &faulty{Store: newStore(t)}
	// Resume goes on with the same value, which must not have changed.
	resume := actor.Supervised(actor.Supervision{Decide: func(any) actor.Directive { return actor.Resume }})
	ref := spawn(t, newSystem(t), accounts(store).With(resume))
	ask(t, ref, Deposit{Amounts: []int{1}})
	store.failing(func(int, string) fault { return refused })
	if _, err := actor.Ask(t.Context(), ref, Deposit{Amounts: []int{2}}); err == nil {
		t.Error("success")
	}
	if got := ask(t, ref, Look{}); got != (Balance{1, 1}) {
		t.Errorf("%+v", got)
	}
}

func TestTheErrorOfTheStoreReachesTheCaller(t *testing.T) {
	for _, c := range []struct{ failure, want error }{
		{persistence.ErrFull, persistence.ErrFull},
		{persistence.ErrClosed, persistence.ErrClosed},
		{errInjected, actor.Unavailable},
		{fmt.Errorf("no quorum: %w", actor.DeadlineExceeded), actor.Unavailable},
	} {
		store := broken{newStore(t), c.failure}
		ref := spawn(t, newSystem(t), accounts(store))
		if _, err := actor.Ask(t.Context(), ref, Deposit{Amounts: []int{1}}); !errors.Is(err, c.want) {
			t.Errorf("%v became %v", c.failure, err)
		}
	}
}
