package virtual

import (
	"fmt"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestBestEffortGoesOnInEveryPart(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		for i := range 3 {
			s.core.cutOff(s.Node(i).Name())
		}
		for _, n := range s.all() {
			if err := Serve(n, s.ledger.definition("room"), BestEffort(), IdleTimeout(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		s.AwaitService(offerName("room"), 3)
		s.settle()
		on := map[string]bool{}
		for i := range 60 {
			for j := range 3 {
				got, err := actor.Ask(within(t, time.Second), roomOf(s.Node(j), fmt.Sprint(i)), Add{})
				if err != nil || got.Count != j+1 || got.Epoch != 0 {
					t.Fatalf("%d from node %d: %+v, %v", i, j, got, err)
				}
				on[got.Node] = true
			}
		}
		if len(on) != 3 {
			t.Errorf("the actors are on %v", on)
		}
		s.leave(1)
		for i := range 60 {
			if got, err := actor.Ask(within(t, time.Second), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil || got.Node == "node-1" {
				t.Fatalf("after the leave, %d: %+v, %v", i, got, err)
			}
		}
		<-time.After(5 * time.Minute)
		if places := s.ledger.places(); len(places) > 0 {
			t.Errorf("not passivated: %v", places)
		}
		s.Network.Partition([]string{"node-0"}, []string{"node-2"})
		<-time.After(20 * time.Second)
		for _, j := range []int{0, 2} {
			for i := range 60 {
				got, err := actor.Ask(within(t, time.Second), roomOf(s.Node(j), fmt.Sprintf("%d on %d", i, j)), Add{})
				if err != nil || got.Node != s.Node(j).Name() {
					t.Fatalf("in a part of its own, %d: %+v, %v", i, got, err)
				}
			}
		}
	})
}
