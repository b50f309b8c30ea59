package actor_test

import (
	"runtime"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestBlockedActorsDoNotStarveOthers(t *testing.T) {
	const many = 10_000
	system := newSystem(t)
	blocked := make(chan struct{})
	entered := make(chan struct{}, many)
	d := define(script{})
	for range many {
		ref, err := actor.Spawn(system, d, actor.WithUniqueName())
		if err != nil {
			t.Fatal(err)
		}
		run(t, ref, func(*actor.Context) error {
			entered <- struct{}{}
			<-blocked
			return nil
		})
	}
	other := spawn(t, system, script{}, actor.WithName("other"))
	for range 100 {
		handled(t, other)
	}
	for range many {
		<-entered
	}
	handled(t, other)
	close(blocked)
}

func TestBusyActorsDoNotStarveOthers(t *testing.T) {
	system := newSystem(t)
	stop := make(chan struct{})
	for range 20 {
		ref := spawn(t, system, script{note: func(ctx *actor.Context, m Note) error {
			select {
			case <-stop:
				return nil
			default:
				return actor.Tell(actor.Self[Lab](ctx), m)
			}
		}}, actor.WithUniqueName())
		tell(t, ref, Note{})
	}
	other := spawn(t, system, script{}, actor.WithName("other"))
	for range 10 {
		handled(t, other)
	}
	close(stop)
}

func TestIdleActorsHaveNoGoroutine(t *testing.T) {
	system := newSystem(t)
	before := runtime.NumGoroutine()
	d := define(script{})
	for range 1000 {
		ref, err := actor.Spawn(system, d, actor.WithUniqueName())
		if err != nil {
			t.Fatal(err)
		}
		handled(t, ref)
	}
	if after := runtime.NumGoroutine(); after > before+100 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}
