package virtual

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Board is the protocol of actors whose requests may be handled twice.
type Board struct{}

// Peek is answered with the name of the node that handles it.
type Peek struct {
	actor.Call[Board, string]
	actor.Idempotent
}

// What may be handled twice waits for the next owner, and not for the one that hangs.
func TestAnOwnerThatHangsIsNotWaitedFor(t *testing.T) {
	for _, who := range []string{"leader", "another"} {
		t.Run(who, func(t *testing.T) {
			playReplicated(t, 3, func(t *testing.T, s *stage) {
				for _, n := range s.all() {
					board := actor.Define("board", func() string { return n.Name() },
						actor.OnCall(func(name string, _ *actor.Context, _ Peek) (string, error) { return name, nil }))
					if err := Serve(n, board); err != nil {
						t.Fatal(err)
					}
				}
				<-time.After(5 * time.Second) // all serve, and have their shares
				hung := s.Node(0)
				for _, n := range s.all() {
					if (n.Name() == n.Store().Leader()) == (who == "leader") {
						hung = n
					}
				}
				asker := s.Node(0)
				if asker == hung {
					asker = s.Node(1)
				}
				key := ""
				for i := 0; ; i++ {
					key = string(rune('a' + i))
					node, err := actor.Ask(within(t, time.Minute), Ref[Board](asker, "board", key), Peek{})
					if err != nil {
						t.Fatal(err)
					}
					if node == hung.Name() {
						break
					}
				}
				host := s.Network.Host(hung.Name())
				host.Freeze()
				defer host.Thaw()
				began := time.Now()
				node, err := actor.Ask(within(t, 4*time.Second), Ref[Board](asker, "board", key), Peek{})
				if err != nil || node == hung.Name() {
					t.Errorf("after %v: %q, %v", time.Since(began), node, err)
				}
				t.Logf("answered after %v", time.Since(began))
			})
		})
	}
}
