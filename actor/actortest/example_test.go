package actortest_test

import (
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/actortest"
)

// A test lets the actor under test tell an Inbox, and looks at what came.
func Example() {
	_ = func(t *testing.T) {
		system := actortest.NewSystem(t)
		office := actortest.NewInbox[Office, Sold](t, system)
		till := newTill(t, system)

		if err := actor.Tell(till, Sell{Price: 7, Report: office.Ref()}); err != nil {
			t.Fatal(err)
		}
		if sold, err := office.Next(t.Context()); err != nil || sold.Total != 7 {
			t.Error(sold, err)
		}
	}
	// Output:
}
