package virtual

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

// moving returns a key that node-1 takes over from node-0 when both serve rooms.
func moving(t *testing.T) string {
	t.Helper()
	var tb table
	for _, n := range []string{"node-0", "node-1"} {
		tb.addHost(host{place: place{Node: n, Session: n}})
	}
	for i := range 100 {
		key := fmt.Sprint(i)
		if preferred("room", shardOf(actorName("room", key), defaultShards), tb.hosts) == 1 {
			return key
		}
	}
	t.Fatal("no key moves")
	return ""
}

// ask asks in a goroutine.
func ask[Q actor.Request[Room, Added]](ctx context.Context, ref actor.Ref[Room], q Q) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := actor.Ask(ctx, ref, q)
		done <- err
	}()
	return done
}

// occupy lets an actor on node-0 handle a Hold with another one behind, and end ends the
// first when the actor has to go: then it takes no more messages, and has not ended.
func (s *stage) occupy(key string) (held []<-chan error, end func()) {
	s.t.Helper()
	for range 2 {
		held = append(held, ask(within(s.t, time.Minute), roomOf(s.Node(0), key), Hold{}))
		synctest.Wait()
	}
	<-s.ledger.holding
	return held, func() {
		s.ledger.gate <- struct{}{}
		<-s.ledger.holding
	}
}

func TestRequestsWaitWithinTheirDeadlinesWhileTheirActorMoves(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:1])
		key := moving(t)
		held, end := s.occupy(key)
		s.serve("room", s.all()[1:2])
		end() // it has to move, and cannot yet
		var patient []<-chan error
		for i, n := range s.all() {
			began := time.Now()
			_, err := actor.Ask(within(t, 150*time.Millisecond), roomOf(n, key), Add{})
			wantCode(t, fmt.Sprintf("a short deadline on node %d", i), err, actor.DeadlineExceeded)
			if took := time.Since(began); took != 150*time.Millisecond {
				t.Errorf("a deadline of 150ms was over after %v", took)
			}
			patient = append(patient, ask(within(t, time.Minute), roomOf(n, key), Add{}))
		}
		<-time.After(time.Second)
		close(s.ledger.gate)
		for _, done := range append(patient, held...) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if on := s.ledger.places()[key]; on != "node-1" {
			t.Errorf("it is on %q", on)
		}
	})
}

// What waits for room in the mailbox of an activation that ends goes to the next one.
func TestWhatIsHeldForAnEndingActivationReachesTheNext(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		if err := Serve(s.Node(0), s.ledger.definition("room").With(actor.BoundedMailbox(1, mailbox.Block))); err != nil {
			t.Fatal(err)
		}
		s.settle()
		held, end := s.occupy("k")
		var want []int
		for n := range 20 {
			want = append(want, n)
			if err := actor.TellContext(within(t, time.Minute), roomOf(s.Node(1), "k"), Note{N: n}); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Second) // all have arrived
		extensionOf(s.Node(0)).kind("room").activated(actorName("room", "k")).drain()
		end()
		close(s.ledger.gate)
		for _, done := range held {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		<-time.After(time.Second)
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		if got := s.ledger.notes["k"]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the notes %v have arrived", got)
		}
	})
}

func TestWhatWaitsForAnEndingActivationIsBounded(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:1])
		held, end := s.occupy("k")
		extensionOf(s.Node(0)).kind("room").activated(actorName("room", "k")).drain()
		end()
		var waiting []<-chan error
		for range maxParked {
			waiting = append(waiting, ask(within(t, time.Minute), roomOf(s.Node(1), "k"), Add{}))
		}
		synctest.Wait()
		<-time.After(time.Second) // all have arrived
		_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(1), "k"), Add{})
		wantCode(t, "one more", err, actor.ResourceExhausted)
		close(s.ledger.gate)
		for _, done := range append(waiting, held...) {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// ownerless lets node-1 serve rooms and lose its session. Others do not know yet, and so
// cannot own its shards.
func (s *stage) ownerless() {
	s.t.Helper()
	s.serve("room", s.all()[1:2])
	s.askAll(s.Node(0), 1, 1)
	s.core.cutOff("node-1")
	<-time.After(ownLease + time.Millisecond)
}

func TestWhatIsToldToActorsWithoutAnOwnerIsBounded(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("other", s.all()[:1])
		s.ownerless()
		var err error
		told := 0
		for ; err == nil && told <= maxHeld; told++ {
			err = actor.Tell(roomOf(s.Node(1), "0"), Note{N: told})
		}
		wantCode(t, fmt.Sprintf("told %d times", told), err, actor.ResourceExhausted)
		if told--; told != maxHeld {
			t.Errorf("%d were taken", told)
		}
		s.askOther()
		s.core.heal("node-1")
		<-time.After(5 * time.Second)
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		got := s.ledger.notes["0"]
		for i, n := range got {
			if n != i {
				t.Fatalf("note %d came as number %d", n, i)
			}
		}
		if len(got) != told {
			t.Errorf("%d of %d notes have arrived", len(got), told)
		}
	})
}

func TestASenderWithAContextWaitsForRoomAmongWhatWaits(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.ownerless()
		ref, told := roomOf(s.Node(1), "0"), 0
		for actor.Tell(ref, Note{N: told}) == nil {
			told++
		}
		began := time.Now()
		err := actor.TellContext(within(t, time.Second), ref, Note{N: -1})
		if wantCode(t, "for a second", err, actor.DeadlineExceeded); time.Since(began) != time.Second || !actor.AsError(err).NotRun {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		patient := make(chan error, 1)
		go func() { patient <- actor.TellContext(within(t, time.Minute), ref, Note{N: told}) }()
		<-time.After(time.Second)
		s.core.heal("node-1")
		if err := <-patient; err != nil {
			t.Error(err)
		}
		<-time.After(5 * time.Second)
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		got := s.ledger.notes["0"]
		if len(got) != told+1 || got[told] != told {
			t.Errorf("%d of %d notes have arrived, the last is %v", len(got), told+1, got[max(0, len(got)-1):])
		}
	})
}

// askOther checks that another kind does not suffer.
func (s *stage) askOther() {
	s.t.Helper()
	if _, err := actor.Ask(within(s.t, time.Second), Ref[Room](s.Node(0), "other", "k"), Add{}); err != nil {
		s.t.Error(err)
	}
}

func TestRequestsToActorsWithoutAnOwnerAreBounded(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("other", s.all()[:1])
		s.ownerless()
		k := extensionOf(s.Node(0)).kind("room")
		first := ask(within(t, time.Minute), roomOf(s.Node(0), "0"), Add{})
		synctest.Wait()
		k.waiting.Add(maxWaiting - 1) // as if so many waited
		_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(0), "0"), Add{})
		wantCode(t, "one more", err, actor.ResourceExhausted)
		s.askOther()
		k.waiting.Add(1 - maxWaiting)
		s.core.heal("node-1")
		if err := <-first; err != nil {
			t.Error(err)
		}
		if n := k.waiting.Load(); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

func TestAMessageAndItsPointerAreOneMessageForAKey(t *testing.T) {
	play(t, 2, func(t *testing.T, s *stage) {
		s.serve("room", s.all())
		for i := range 10 { // on both nodes
			ref := roomOf(s.Node(0), fmt.Sprint(i))
			for range 2 {
				if _, err := actor.Ask(within(t, time.Minute), ref, &Add{}); err != nil {
					t.Error(err)
				}
			}
			for n, err := range []error{actor.Tell(ref, &Note{N: 0}), actor.Tell(ref, Note{N: 1})} {
				if err != nil {
					t.Error(n, err)
				}
			}
			synctest.Wait()
			s.ledger.mu.Lock()
			if notes := s.ledger.notes[fmt.Sprint(i)]; fmt.Sprint(notes) != "[0 1]" {
				t.Errorf("%d got %v", i, notes)
			}
			s.ledger.mu.Unlock()
		}
	})
}

func TestAMailboxThatCannotBeMadeFailsTheMessageThatNeedsIt(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic": func() { panic("no coffee") }, "runtime.Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, 2, func(t *testing.T, s *stage) {
				failing := actor.Mailbox(func(func(actor.Envelope)) mailbox.Queue[actor.Envelope] { fail(); return nil })
				for _, n := range s.all() {
					k := s.ledger.definition("room")
					if err := Serve(n, k); err != nil {
						t.Fatal(err)
					}
					server := extensionOf(n).kind("room").server.Load()
					spawn := server.spawn
					server.spawn = func(name string, check func() error) (actor.Address, error) {
						if name == actorName("room", "bad") {
							return n.System().Spawn(k.With(failing, actor.Guard(check)), actor.WithName(name))
						}
						return spawn(name, check)
					}
				}
				s.settle()
				for i := range 2 {
					begin := time.Now()
					err := <-ask(within(t, time.Minute), roomOf(s.Node(i), "bad"), Add{})
					if wantCode(t, "bad", err, actor.Internal); time.Since(begin) > time.Second {
						t.Errorf("it came after %v", time.Since(begin))
					}
				}
				for i := range 10 {
					if err := <-ask(within(t, time.Minute), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
