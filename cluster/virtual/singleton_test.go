package virtual

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
)

func TestASingletonRunsOnceAndItsRefFollows(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		var ref actor.Ref[Room]
		for _, n := range s.all() {
			r, err := Singleton(n, s.ledger.definition("janitor"))
			if err != nil {
				t.Fatal(err)
			}
			if n == s.Node(0) {
				ref = r
			}
		}
		if ref != Ref[Room](s.Node(0), "janitor", "") {
			t.Error("Singleton and Ref differ")
		}
		s.settle()
		places := s.ledger.places()
		if len(places) != 1 {
			t.Fatalf("it runs on %v", places)
		}
		first, err := actor.Ask(within(t, time.Minute), ref, Add{})
		if err != nil || first.Node != places[""] {
			t.Fatalf("%+v, %v", first, err)
		}
		<-time.After(time.Hour)
		if again, err := actor.Ask(within(t, time.Minute), ref, Add{}); err != nil || again.Count != 2 {
			t.Fatalf("an hour later: %+v, %v", again, err)
		}
		on := func(node string) int { // node-0 asks, and so has to stay
			for i := 1; i < 3; i++ {
				if s.Node(i).Name() == node {
					return i
				}
			}
			return -1
		}
		if i := on(first.Node); i > 0 {
			s.leave(i)
			second, err := actor.Ask(within(t, time.Minute), ref, Add{})
			if err != nil || second.Epoch <= first.Epoch || second.Node == first.Node {
				t.Fatalf("after the leave: %+v, %v", second, err)
			}
			first = second
		}
		if i := on(first.Node); i > 0 {
			s.crash(i)
			s.settle()
			var second Added
			for began := time.Now(); time.Since(began) < 10*time.Second; {
				if second, err = actor.Ask(within(t, 5*time.Second), ref, Add{}); err == nil {
					break
				}
			}
			if err != nil || second.Epoch <= first.Epoch || second.Node == first.Node {
				t.Fatalf("after the crash: %+v, %v", second, err)
			}
		}
		synctest.Wait()
		if places := s.ledger.places(); len(places) != 1 {
			t.Errorf("at the end it runs on %v", places)
		}
	})
}
