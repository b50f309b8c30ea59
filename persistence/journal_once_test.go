package persistence_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestAMessageThatComesAgainGetsTheSameReply(t *testing.T) {
	store := newStore(t)
	system := newSystem(t)
	ref := spawn(t, system, accounts(store))
	first := ask(t, ref, Move{Key: "a", Amount: 10})
	ask(t, ref, Move{Key: "b", Amount: -10})
	if again := ask(t, ref, Move{Key: "a", Amount: 10}); again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
	// It was allowed then; that it would not be now is not the question.
	ask(t, ref, Move{Key: "b", Amount: -10})
	stop(t, system, ref)
	ref = spawn(t, system, accounts(store))
	if again := ask(t, ref, Move{Key: "a", Amount: 10}); again != first {
		t.Errorf("after a restart: %+v", again)
	}
	if got := ask(t, ref, Look{}); got != (Balance{0, 2}) {
		t.Errorf("%+v", got)
	}
}

func TestARefusedMessageIsDecidedAnew(t *testing.T) {
	ref := spawn(t, newSystem(t), accounts(newStore(t)))
	if _, err := actor.Ask(t.Context(), ref, Move{Key: "a", Amount: -10}); !errors.Is(err, errOverdrawn) {
		t.Errorf("got %v", err)
	}
	ask(t, ref, Move{Key: "b", Amount: 10})
	if got := ask(t, ref, Move{Key: "a", Amount: -10}); got != (Balance{0, 2}) {
		t.Errorf("%+v", got)
	}
}

func TestKeysAreForgottenAfterTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		ref := spawn(t, newSystem(t), accounts(store, persistence.Remember(time.Minute)))
		ask(t, ref, Move{Key: "a", Amount: 1})
		wait(t, time.Minute-time.Second)
		if got := ask(t, ref, Move{Key: "a", Amount: 1}); got.Sequence != 1 {
			t.Errorf("within the minute: %+v", got)
		}
		wait(t, time.Second)
		if got := ask(t, ref, Move{Key: "a", Amount: 1}); got.Sequence != 2 {
			t.Errorf("after the minute: %+v", got)
		}
	})
}

func TestAMessageWithoutAKeyIsRefused(t *testing.T) {
	ref := spawn(t, newSystem(t), accounts(newStore(t)))
	if _, err := actor.Ask(t.Context(), ref, Move{Amount: 1}); !errors.Is(err, actor.InvalidArgument) {
		t.Errorf("got %v", err)
	}
}

func TestAKeyOfAnotherKindOfMessageIsRefused(t *testing.T) {
	store := newStore(t)
	put(t, store, "account#handled/a", `"text"`, map[string]string{"content-type": "application/json"})
	ref := spawn(t, newSystem(t), accounts(store))
	if _, err := actor.Ask(t.Context(), ref, Move{Key: "a", Amount: 1}); !errors.Is(err, actor.InvalidArgument) {
		t.Errorf("got %v", err)
	}
}

func TestOnceNeedsARecoveredJournal(t *testing.T) {
	called := false
	ref := spawn(t, newSystem(t), misusing(newStore(t), func(ctx *actor.Context, a *account) {
		fresh := persistence.NewJournal(newStore(t), a.apply)
		_, err := persistence.PersistOnce(ctx, fresh, "key", func() (int, []Event, error) {
			called = true
			return 0, nil, nil
		})
		ctx.Fail(err)
	}))
	if _, err := actor.Ask(t.Context(), ref, Look{}); !errors.Is(err, actor.FailedPrecondition) || called {
		t.Errorf("got %v, called %v", err, called)
	}
}

// wait lets time pass, in a bubble.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
	synctest.Wait()
}
