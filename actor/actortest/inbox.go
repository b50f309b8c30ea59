package actortest

import (
	"context"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

// Inbox is an actor of protocol P that keeps the messages of type M that it is
// told. Its methods may be called concurrently, but [Inbox.Next] by one goroutine
// at a time. If an M could not travel, the Inbox is [actor.LocalOnly].
type Inbox[P any, M actor.Message[P]] struct {
	ref actor.Ref[P]

	mu       sync.Mutex
	messages []M
	arrived  chan struct{} // holds a token when messages have come
}

// NewInbox spawns an Inbox. The test fails if it cannot.
func NewInbox[P any, M actor.Message[P]](t testing.TB, by actor.Spawner, options ...actor.SpawnOption) *Inbox[P, M] {
	t.Helper()
	inbox := &Inbox[P, M]{arrived: make(chan struct{}, 1)}
	d := actor.Define("inbox", func() *Inbox[P, M] { return inbox }, actor.OnCast((*Inbox[P, M]).keep))
	ref, err := actor.Spawn(by, d, options...)
	if err != nil { // an M may be one that cannot travel
		ref, err = actor.Spawn(by, d.With(actor.LocalOnly()), options...)
	}
	if err != nil {
		t.Fatal(err)
	}
	inbox.ref = ref
	return inbox
}

// Ref returns the actor.
func (i *Inbox[P, M]) Ref() actor.Ref[P] { return i.ref }

// Next removes and returns the oldest message. It waits for one until ctx ends, and
// then returns the error of ctx.
func (i *Inbox[P, M]) Next(ctx context.Context) (M, error) {
	for {
		i.mu.Lock()
		if len(i.messages) > 0 {
			m := i.messages[0]
			i.messages = i.messages[1:]
			i.mu.Unlock()
			return m, nil
		}
		i.mu.Unlock()
		select {
		case <-i.arrived:
		case <-ctx.Done():
			var none M
			return none, context.Cause(ctx)
		}
	}
}

// Len returns how many messages wait for [Inbox.Next].
func (i *Inbox[P, M]) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.messages)
}

func (i *Inbox[P, M]) keep(_ *actor.Context, m M) error {
	i.mu.Lock()
	i.messages = append(i.messages, m)
	i.mu.Unlock()
	select {
	case i.arrived <- struct{}{}:
	default:
	}
	return nil
}
