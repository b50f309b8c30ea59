package virtual

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestActorsAreActivatedByTheirFirstMessageOnOneNode(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		on := map[string]int{}
		for i := range 200 {
			key := fmt.Sprintf("key/%d", i)
			for j := range 3 {
				got, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(j), key), Add{})
				if err != nil {
					t.Fatal(err)
				}
				if got.Key != key || got.Count != j+1 || got.Epoch == 0 {
					t.Fatalf("%s from node %d: %+v", key, j, got)
				}
				if j == 0 {
					on[got.Node]++
				}
			}
		}
		if len(on) != 3 {
			t.Errorf("the actors are on %v", on)
		}
	})
}

func TestAJoinMovesFewShards(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		before := s.core.owners("room")
		if before["node-0"]+before["node-1"]+before["node-2"] != defaultShards {
			t.Fatalf("owners: %v", before)
		}
		s.core.mu.Lock()
		records := len(s.core.history)
		s.core.mu.Unlock()
		n := s.Start("node-3")
		s.use(n)
		s.serve("room", s.all()[3:])
		after := s.core.owners("room")
		moved := 0
		s.core.mu.Lock()
		for _, c := range s.core.history[records:] {
			for _, c := range c.Changes {
				if c.Delete {
					moved++
				}
			}
		}
		s.core.mu.Unlock()
		if after["node-3"] == 0 || after["node-3"] != moved || moved > defaultShards/4+20 {
			t.Errorf("owners %v, then %v: %d moved", before, after, moved)
		}
	})
}

func TestALeaveHandsOverWithoutLossInHalfASecond(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		const keys = 300
		for i := range keys {
			if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil {
				t.Fatal(err)
			}
		}
		failed := make(chan error, keys)
		for i := range keys {
			go func() {
				for range 20 {
					<-time.After(10 * time.Millisecond)
					if _, err := actor.Ask(within(t, 5*time.Second), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil {
						failed <- err
						return
					}
				}
				failed <- nil
			}()
		}
		handed := make(chan time.Duration, 1)
		began := time.Now()
		x := extensionOf(s.Node(2))
		go func() {
			<-x.kind("room").server.Load().left
			handed <- time.Since(began)
		}()
		s.leave(2)
		if took := <-handed; took > 500*time.Millisecond {
			t.Errorf("the hand-over took %v", took)
		}
		for range keys {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		if owners := s.core.owners("room"); owners["node-0"]+owners["node-1"] != defaultShards {
			t.Errorf("owners: %v", owners)
		}
	})
}

func TestTellsAreNotLostWhenTheirActorsMove(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:2])
		const keys, each = 50, 40
		told := make(chan error, keys)
		for i := range keys {
			go func() {
				for n := range each {
					<-time.After(5 * time.Millisecond)
					if err := actor.Tell(roomOf(s.Node(0), fmt.Sprint(i)), Note{N: n}); err != nil {
						told <- err
						return
					}
				}
				told <- nil
			}()
		}
		s.serve("room", s.all()[2:])
		s.leave(1)
		for range keys {
			if err := <-told; err != nil {
				t.Fatal(err)
			}
		}
		s.settle()
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		for i := range keys {
			if got := s.ledger.notes[fmt.Sprint(i)]; len(got) != each {
				t.Errorf("%d of %d notes arrived at %d: %v", len(got), each, i, got)
			}
		}
	})
}

func TestACrashIsOverWhenTheSessionIs(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		for i := range 100 {
			if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil {
				t.Fatal(err)
			}
		}
		places := s.ledger.places()
		s.crash(2)
		began := time.Now()
		for i := range 100 {
			key := fmt.Sprint(i)
			if places[key] == "node-2" {
				continue
			}
			got, err := actor.Ask(within(t, time.Second), roomOf(s.Node(0), key), Add{})
			if err != nil || got.Count != 2 || time.Since(began) > 10*time.Millisecond {
				t.Fatalf("%s, which is not on the node that crashed: %+v, %v", key, got, err)
			}
		}
		for i := range 100 {
			key := fmt.Sprint(i)
			got, err := actor.Ask(within(t, 10*time.Second), roomOf(s.Node(0), key), Add{})
			if actor.CodeOf(err) == actor.Unavailable && !actor.AsError(err).NotRun {
				continue // in flight to it
			}
			if err != nil || got.Node == "node-2" {
				t.Fatalf("%s: %+v, %v", key, got, err)
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the fail-over took %v", took)
		}
	})
}

func TestANodeThatIsCutOffFromTheCoreStopsBeforeOthersStart(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		for i := range 100 {
			if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(i%3), fmt.Sprint(i)), Add{}); err != nil {
				t.Fatal(err)
			}
		}
		s.core.cutOff("node-2")
		stop := make(chan struct{})
		done := make(chan struct{})
		for j := range 3 {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(7 * time.Millisecond):
					}
					_, _ = actor.Ask(within(t, time.Second), roomOf(s.Node(j), fmt.Sprint(i%100)), Add{})
				}
			}()
		}
		<-time.After(6 * time.Second)
		for key, node := range s.ledger.places() {
			if node == "node-2" {
				t.Errorf("%s is still on the node that was cut off", key)
			}
		}
		s.core.heal("node-2")
		<-time.After(3 * time.Second)
		close(stop)
		for range 3 {
			<-done
		}
		if s.core.owners("room")["node-2"] == 0 {
			t.Error("the node that came back owns nothing")
		}
	})
}

// What waits behind a handler that does not watch its context has not run when its node
// goes, and is handled by the next owner.
func TestWhatALeaverHasNotBegunIsHandledElsewhere(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		key := s.keyOn("node-2")
		if err := actor.Tell(roomOf(s.Node(2), key), Hang{}); err != nil {
			t.Fatal(err)
		}
		<-s.ledger.holding
		left := make(chan error, 1)
		go func() { left <- s.Node(2).Leave(within(t, 2*time.Second)) }()
		<-time.After(time.Second) // the activation is told to end
		answers := make(chan error, 3)
		for i := range cap(answers) {
			go func() {
				got, err := actor.Ask(within(t, 30*time.Second), roomOf(s.Node(i%2), key), Add{})
				if err == nil && got.Node == "node-2" {
					err = fmt.Errorf("%+v", got)
				}
				answers <- err
			}()
		}
		s.ledger.bury("node-2") // what hangs there handles nothing any more
		err := <-left
		if actor.CodeOf(err) != actor.DeadlineExceeded || !strings.Contains(err.Error(), "virtual.Hang") {
			t.Errorf("leaving: %v", err)
		}
		s.core.leave("node-2")
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		close(s.ledger.gate)
	})
}

// keyOn returns a key whose actor is on a node.
func (s *stage) keyOn(node string) string {
	s.t.Helper()
	for i := range 100 {
		key := fmt.Sprint("on ", node, i)
		if got, err := actor.Ask(within(s.t, time.Minute), roomOf(s.Node(0), key), Add{}); err == nil && got.Node == node {
			return key
		}
	}
	s.t.Fatal("no key is on", node)
	return ""
}
