package virtual

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/mailbox"
)

func TestAnIdleActorIsPassivatedAndComesBack(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all(), IdleTimeout(time.Minute))
		for i := range 50 {
			if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil {
				t.Fatal(err)
			}
		}
		for range 8 { // "0" is kept busy
			<-time.After(15 * time.Second)
			if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "0"), Add{}); err != nil {
				t.Fatal(err)
			}
		}
		if places := s.ledger.places(); len(places) != 1 || places["0"] == "" {
			t.Errorf("still active: %v", places)
		}
		for i := range 50 {
			got, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(1), fmt.Sprint(i)), Add{})
			if want := map[bool]int{true: 10, false: 1}[i == 0]; err != nil || got.Count != want {
				t.Errorf("%d: %+v, %v", i, got, err)
			}
		}
	})
}

// Passivation, or an actor that stops by itself, is nothing its callers notice.
func TestMessagesThatMeetAnEndingActivationReachTheNext(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all(), IdleTimeout(20*time.Millisecond))
		var asking sync.WaitGroup
		for j := range 2 {
			for i := range 20 {
				asking.Go(func() {
					for n := range 100 {
						<-time.After(time.Duration(19+n%8) * time.Millisecond)
						if _, err := actor.Ask(within(t, time.Second), roomOf(s.Node(j), fmt.Sprint(i)), Add{}); err != nil {
							t.Error(err)
							return
						}
						if err := actor.Tell(roomOf(s.Node(j), fmt.Sprint(i)), Note{N: n}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		asking.Wait()
		s.settle()
		if started, _ := s.ledger.counts(); started < 100 {
			t.Errorf("only %d activations: nothing was passivated", started)
		}
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		for i := range 20 {
			if got := len(s.ledger.notes[fmt.Sprint(i)]); got != 200 {
				t.Errorf("%d of 200 notes arrived at %d", got, i)
			}
		}
	})
}

func TestAnActorThatStopsByItselfIsActivatedAnew(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		for i := range 20 {
			ref := roomOf(s.Node(i%2), "one")
			if got, err := actor.Ask(within(t, time.Second), ref, Add{}); err != nil || got.Count != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if err := actor.Tell(ref, Quit{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
	})
}

func TestTenThousandActorsAtOnce(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		const keys = 10_000
		outcomes := make(chan error, keys)
		for i := range keys {
			go func() {
				_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(i%3), fmt.Sprint(i)), Add{})
				outcomes <- err
			}()
		}
		for range keys {
			if err := <-outcomes; err != nil {
				t.Fatal(err)
			}
		}
		if got := len(s.ledger.places()); got != keys {
			t.Errorf("%d activations", got)
		}
	})
}

func TestRefsAreEqualAndTravel(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		a, b := roomOf(s.Node(0), "a key/with ~ all:of#it"), roomOf(s.Node(0), "b")
		if a != roomOf(s.Node(0), "a key/with ~ all:of#it") || a == b {
			t.Error("Refs to one actor must be equal, and others not")
		}
		again, err := actor.Resolve[Room](s.Node(0).System(), a.String())
		if err != nil || again != a {
			t.Errorf("%s resolves to %s, %v", a, again, err)
		}
		got, err := actor.Ask(within(t, time.Minute), b, Visit{To: a})
		if err != nil || got.Key != "a key/with ~ all:of#it" {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := a.Address().Recipient().Watch(nil); actor.CodeOf(err) != actor.Unimplemented {
			t.Errorf("watched: %v", err)
		}
	})
}

func TestWhatCannotBeServedIsRefused(t *testing.T) {
	play(t, 1, func(t *testing.T, s *stage) {
		n := s.Node(0)
		wantCode(t, "a zero definition", Serve(n, actor.Definition[Room]{}), actor.InvalidArgument)
		wantCode(t, "a kind with a colon", Serve(n, s.ledger.definition("a:b")), actor.InvalidArgument)
		wantCode(t, "no function", Serve(n, actor.Define[Room, *room]("room", nil)), actor.InvalidArgument)
		wantCode(t, "an actor of this node alone", Serve(n, s.ledger.definition("room").With(actor.LocalOnly())), actor.InvalidArgument)
		_, err := Singleton(n, s.ledger.definition("room").With(actor.LocalOnly()))
		wantCode(t, "a singleton of this node alone", err, actor.InvalidArgument)
		wantCode(t, "no shards", Serve(n, s.ledger.definition("room"), Shards(0)), actor.InvalidArgument)
		wantCode(t, "a negative timeout", Serve(n, s.ledger.definition("room"), IdleTimeout(-1)), actor.InvalidArgument)
		wantCode(t, "no hand-overs", Serve(n, s.ledger.definition("room"), MaxHandovers(0)), actor.InvalidArgument)
		if err := Serve(n, s.ledger.definition("room")); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "twice", Serve(n, s.ledger.definition("room")), actor.AlreadyExists)
		for what, ref := range map[string]actor.Ref[Room]{"a bad kind": Ref[Room](n, "a/b", "k"), "a long key": roomOf(n, strings.Repeat("x", 200))} {
			_, err := actor.Ask(within(t, time.Minute), ref, Add{})
			wantCode(t, what, err, actor.InvalidArgument)
			wantCode(t, what, actor.Tell(ref, Note{}), actor.InvalidArgument)
		}
		if err := n.Leave(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "after leaving", Serve(n, s.ledger.definition("other")), actor.Unavailable)
		_, err = actor.Ask(within(t, time.Minute), roomOf(n, "k"), Add{})
		wantCode(t, "asked after leaving", err, actor.Unavailable)
	})
}

func TestWithoutAServerOrACoreRequestsFailWithinASecond(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		ask := func(what string) {
			t.Helper()
			began := time.Now()
			_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "k"), Add{})
			wantCode(t, what, err, actor.Unavailable)
			if took := time.Since(began); took > 1300*time.Millisecond {
				t.Errorf("%s: it took %v", what, took)
			}
			t.Log(err)
		}
		ask("nobody serves the kind")
		s.core.cutOff("node-0")
		ask("the core is away")
		s.core.heal("node-0")
		<-time.After(2 * time.Second)
		s.serve("room", s.all()[1:])
		if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "k"), Add{}); err != nil {
			t.Error(err)
		}
		s.core.cutOff("node-1")
		<-time.After(ownLease + time.Millisecond)
		s.core.cutOff("node-0")
		ask("the owner has lost its session, and the core is away")
	})
}

func TestDeadlinesAreKept(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[1:])
		if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "k"), Add{}); err != nil {
			t.Fatal(err)
		}
		s.core.cutOff("node-1") // its shards have no owner for a while
		<-time.After(ownLease + time.Millisecond)
		began := time.Now()
		_, err := actor.Ask(within(t, 150*time.Millisecond), roomOf(s.Node(0), "k"), Add{})
		wantCode(t, "while nobody owns the shard", err, actor.DeadlineExceeded)
		if !actor.AsError(err).NotRun || time.Since(began) != 150*time.Millisecond {
			t.Errorf("after %v: %#v", time.Since(began), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err = actor.Ask(ctx, roomOf(s.Node(0), "k"), Add{})
		wantCode(t, "given up", err, actor.Canceled)
		s.core.heal("node-1")
	})
}

func TestALostSessionEndsHandlersAndRefusesWhatWaits(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[1:])
		outcomes := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(1), "k"), Hold{})
				outcomes <- err
			}()
		}
		<-s.ledger.holding
		s.core.cutOff("node-1")
		began := time.Now()
		if err := <-s.ledger.holdEnds; err == nil || time.Since(began) != ownLease {
			t.Errorf("the context ended after %v: %v", time.Since(began), err)
		}
		if len(s.ledger.holding) > 0 {
			t.Error("another message was handled after the session was lost")
		}
		for range 3 { // one was cut short, the others find no core
			err := <-outcomes
			if err == nil {
				t.Error("an answer after the session was lost")
			}
		}
		s.core.heal("node-1")
	})
}

func TestASlowHandlerHoldsItsShardOnly(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:1])
		held := make(chan error, 1)
		go func() {
			_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "slow"), Hold{})
			held <- err
		}()
		<-s.ledger.holding
		s.serve("room", s.all()[1:], MaxHandovers(1))
		slow := shardOf(actorName("room", "slow"), defaultShards)
		for i := range 100 {
			if shardOf(actorName("room", fmt.Sprint(i)), defaultShards) == slow {
				continue
			}
			if _, err := actor.Ask(within(t, time.Second), roomOf(s.Node(1), fmt.Sprint(i)), Add{}); err != nil {
				t.Fatal(err)
			}
		}
		close(s.ledger.gate)
		if err := <-held; err != nil {
			t.Error(err)
		}
	})
}

func TestABoundedMailboxOfTheDefinitionCounts(t *testing.T) {
	play(t, 1, func(t *testing.T, s *stage) {
		bounded := s.ledger.definition("room").With(actor.BoundedMailbox(2, mailbox.Reject))
		if err := Serve(s.Node(0), bounded); err != nil {
			t.Fatal(err)
		}
		s.settle()
		go func() { _, _ = actor.Ask(within(t, time.Second), roomOf(s.Node(0), "k"), Hold{}) }()
		<-s.ledger.holding
		var err error
		for range 10 {
			if err = actor.Tell(roomOf(s.Node(0), "k"), Note{}); err != nil {
				break
			}
		}
		wantCode(t, "told too much", err, actor.ResourceExhausted)
	})
}

func TestWhatIsToldToNobodyBecomesADeadLetter(t *testing.T) {
	var mu sync.Mutex
	var dead []actor.DeadLetter
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[1:])
		if _, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "k"), Add{}); err != nil {
			t.Fatal(err)
		}
		s.crash(1)
		s.core.cutOff("node-0")
		<-time.After(15 * time.Second) // gossip knows that the owner is lost
		if err := actor.Tell(roomOf(s.Node(0), "k"), Note{N: 1}); err != nil {
			t.Fatal(err)
		}
		<-time.After(heldFor + time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(dead) != 1 || dead[0].Message != (Note{N: 1}) {
			t.Errorf("dead letters: %+v", dead)
		}
	}, cluster.WithActors(actor.WithDeadLetters(func(d actor.DeadLetter) {
		mu.Lock()
		defer mu.Unlock()
		dead = append(dead, d)
	})))
}
