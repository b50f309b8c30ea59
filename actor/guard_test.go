package actor_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

// Guarded is the protocol of an actor with a guard.
type Guarded struct{}

type guardedPing struct{ actor.Call[Guarded, int] }

func TestAGuardRefusesMessagesJustBeforeTheyWouldBeHandled(t *testing.T) {
	system := actor.NewSystem()
	t.Cleanup(func() { _ = system.Stop(context.Background()) })
	var refuse atomic.Bool
	handled := 0
	ref, err := actor.Spawn(system, actor.Define("guarded", func() *int { return &handled },
		actor.OnCall(func(n *int, _ *actor.Context, _ guardedPing) (int, error) {
			*n++
			return *n, nil
		})).With(actor.Guard(func() error {
		if refuse.Load() {
			return actor.Errorf(actor.Unavailable, "the lease is gone")
		}
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := actor.Ask(t.Context(), ref, guardedPing{}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	refuse.Store(true)
	_, err = actor.Ask(t.Context(), ref, guardedPing{})
	if e := actor.AsError(err); e.Code != actor.Unavailable || !e.NotRun {
		t.Errorf("refused with %#v", err)
	}
	refuse.Store(false)
	if n, err := actor.Ask(t.Context(), ref, guardedPing{}); n != 2 || err != nil {
		t.Error(n, err)
	}
}
