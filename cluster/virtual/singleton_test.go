package virtual

import (
	"fmt"
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

func TestASingletonStaysWhileItsNodeDoes(t *testing.T) {
	play(t, 1, func(t *testing.T, s *stage) {
		ref, err := Singleton(s.Node(0), s.ledger.definition("janitor"))
		if err != nil {
			t.Fatal(err)
		}
		s.settle()
		count := 0
		stays := func(what string, ref actor.Ref[Room], was Added) Added {
			t.Helper()
			now, err := actor.Ask(within(t, time.Minute), ref, Add{})
			if count++; err != nil || now.Count != count || count > 1 && (now.Node != was.Node || now.Epoch != was.Epoch) {
				t.Fatalf("%s: %+v, %v, was %+v", what, now, err, was)
			}
			return now
		}
		first := stays("alone", ref, Added{})
		join := func(from, to int) {
			for i := from; i < to; i++ {
				n := s.Start(fmt.Sprint("joined-", i))
				s.use(n)
				if _, err := Singleton(n, s.ledger.definition("janitor")); err != nil {
					t.Fatal(err)
				}
				s.settle()
				stays("as "+n.Name()+" has joined", ref, first)
			}
		}
		join(1, 8)
		if err := actor.Tell(ref, Quit{}); err != nil { // it has nothing to lose now, but its place
			t.Fatal(err)
		}
		s.settle()
		count = 0
		second := stays("after it stopped by itself", ref, Added{})
		if second.Node != first.Node {
			t.Errorf("moved from %s to %s", first.Node, second.Node)
		}

		ref = Ref[Room](s.Node(1), "janitor", "")
		for i := range s.all() {
			if s.Node(i).Name() == second.Node {
				s.leave(i)
				break
			}
		}
		s.settle()
		count = 0
		third := stays("after the leave", ref, Added{})
		if third.Node == second.Node {
			t.Error("it runs on a node that has left")
		}
		second, first = third, third
		join(8, 14)
	})
}
