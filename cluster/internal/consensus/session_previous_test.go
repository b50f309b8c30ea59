package consensus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// TestTheNextProcessEndsTheSessionOfTheOneBefore kills a node that owns something, and
// starts it again at once.
func TestTheNextProcessEndsTheSessionOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		join, _ := w.onDisk(3, 3)
		nodes := []*node{join("a"), join("b"), join("c")}
		nodes[0].put("k", "1")
		<-time.After(5 * time.Second)
		owner, other := pick(nodes, true, false), w.leader()
		s, err := owner.OpenSession(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		owned := s.Own(persistence.Transaction{Then: []persistence.Change{{Key: "owned"}}}, "owned")
		if _, err := owner.System().Commit(t.Context(), owned); err != nil {
			t.Fatal(err)
		}
		owner.crash()
		start := time.Now()
		join(owner.name)
		for {
			if _, err := other.System().Get(t.Context(), "owned"); err != nil {
				break
			}
			<-time.After(10 * time.Millisecond)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("what the process before has owned was gone after %v", took)
		}
		<-time.After(5 * time.Second)
	})
}
