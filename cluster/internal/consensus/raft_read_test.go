package consensus

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestAReadEndsWhenTheVoterItWaitsForIsRemoved has a leader ask its only other voter
// whether it still follows, and takes that voter out before it answers.
func TestAReadEndsWhenTheVoterItWaitsForIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b").found(2)
		g.timing.Replace = time.Hour
		g.fill(0, 1)
		l := g.leader()
		other := g.others(l)[0]
		<-time.After(time.Second)
		g.net.isolate(other, g.nodes, true)
		done := make(chan error, 1)
		go func() { done <- l.ReadBarrier(t.Context()) }()
		<-time.After(time.Millisecond) // it has asked
		if err := l.remove(t.Context(), raft.ServerID(g.servers[other])); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the read has not ended")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.ReadBarrier(ctx); err != nil {
			t.Errorf("the next read: %v", err)
		}
	})
}
