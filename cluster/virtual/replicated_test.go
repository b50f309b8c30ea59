package virtual

import (
	"fmt"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// playReplicated runs a test on the replicated store of the cluster itself.
func playReplicated(t *testing.T, nodes int, test func(t *testing.T, s *stage)) {
	t.Helper()
	clustertest.Run(t, nodes, func(t *testing.T, c *clustertest.Cluster) {
		s := &stage{Cluster: c, t: t, ledger: newLedger()}
		test(t, s)
		s.ledger.check(t)
	}, cluster.WithExpect(nodes))
}

// awaitReach waits until all keys can be asked for from a node.
func (s *stage) awaitReach(n *cluster.Node, keys int) {
	s.t.Helper()
	for i := range keys {
		for {
			_, err := actor.Ask(within(s.t, 5*time.Second), roomOf(n, fmt.Sprint(i)), Add{})
			if err == nil {
				break
			}
			if s.t.Context().Err() != nil {
				s.t.Fatal(err)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

func TestACrashIsOverInFiveSecondsOnTheReplicatedStore(t *testing.T) {
	playReplicated(t, 3, func(t *testing.T, s *stage) {
		const keys = 60
		s.serveReplicated(s.all())
		s.awaitReach(s.Node(0), 1)
		<-time.After(5 * time.Second) // all serve, and have their shares
		s.awaitReach(s.Node(0), keys)
		places := s.ledger.places()
		s.crash(1)
		began := time.Now()
		for i := range keys { // what is elsewhere sees no pause
			if key := fmt.Sprint(i); places[key] != "node-1" {
				if _, err := actor.Ask(within(t, 100*time.Millisecond), roomOf(s.Node(0), key), Add{}); err != nil {
					t.Errorf("%s, on %s: %v", key, places[key], err)
				}
			}
		}
		s.awaitReach(s.Node(0), keys)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the fail-over took %v", took)
		}
	})
}

func TestALeaveHandsOverInHalfASecondOnTheReplicatedStore(t *testing.T) {
	playReplicated(t, 3, func(t *testing.T, s *stage) {
		const keys = 60
		s.serveReplicated(s.all())
		s.awaitReach(s.Node(0), 1)
		<-time.After(5 * time.Second) // all serve, and have their shares
		s.awaitReach(s.Node(0), keys)
		began := time.Now()
		handed := make(chan time.Duration, 1)
		left := extensionOf(s.Node(2)).kind("room").server.Load().left
		go func() {
			<-left
			handed <- time.Since(began)
		}()
		gone := make(chan error, 1)
		go func() { gone <- s.Node(2).Leave(within(t, time.Minute)) }()
		if took := <-handed; took > 500*time.Millisecond {
			t.Errorf("the hand-over took %v", took)
		}
		for i := range keys {
			if got, err := actor.Ask(within(t, 500*time.Millisecond), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil || got.Node == "node-2" {
				t.Errorf("%d: %+v, %v", i, got, err)
			}
		}
		if err := <-gone; err != nil {
			t.Error(err)
		}
	})
}

func (s *stage) serveReplicated(nodes []*cluster.Node) {
	s.t.Helper()
	for _, n := range nodes {
		if err := Serve(n, s.ledger.definition("room")); err != nil {
			s.t.Fatal(err)
		}
	}
}
