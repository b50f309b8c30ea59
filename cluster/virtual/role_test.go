package virtual

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/persistence"
)

// tally is a room that keeps its count.
type tally struct{ count *persistence.State[int] }

func (r *tally) Started(ctx *actor.Context) error { return r.count.Load(ctx) }

func (r *tally) add(ctx *actor.Context, _ Add) (Added, error) {
	r.count.Save(ctx, r.count.Value()+1)
	return Added{Node: ctx.System().Node(), Key: Key(ctx), Count: r.count.Value(), Epoch: uint64(Epoch(ctx))}, nil
}

func tallies(n *cluster.Node) actor.Definition[Room] {
	return actor.Define("room", func() *tally { return &tally{persistence.NewState[int](n.Store())} }, actor.OnCall((*tally).add))
}

// askAll asks the rooms 0 to keys-1, and returns on which nodes they are.
func (s *stage) askAll(n *cluster.Node, keys, count int) map[string]bool {
	s.t.Helper()
	on := map[string]bool{}
	for i := range keys {
		got, err := actor.Ask(within(s.t, 10*time.Second), roomOf(n, fmt.Sprint(i)), Add{})
		if err != nil || got.Count != count && count > 0 {
			s.t.Fatalf("%d: %+v, %v", i, got, err)
		}
		on[got.Node] = true
	}
	return on
}

func TestAKindRunsOnNodesWithItsRoleOnly(t *testing.T) {
	play(t, 4, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:1], OnRole("worker"))
		s.serve("room", s.all()[1:3], OnRole("worker"), Roles("worker", "other"))
		for j := range 4 { // node-3 does not serve it at all
			if on := s.askAll(s.Node(j), 60, j+1); len(on) != 2 || on["node-0"] || on["node-3"] {
				t.Fatalf("asked from node %d, the actors are on %v", j, on)
			}
		}
		s.leave(1)
		if on := s.askAll(s.Node(0), 60, 0); len(on) != 1 || !on["node-2"] {
			t.Errorf("after a leave the actors are on %v", on)
		}
		n := s.Start("node-4")
		s.use(n)
		s.serve("room", []*cluster.Node{n}, OnRole("worker"), Roles("worker"))
		s.settle()
		if on := s.askAll(s.Node(0), 60, 0); len(on) != 2 || !on["node-4"] {
			t.Errorf("after a join the actors are on %v", on)
		}
		s.crash(2)
		<-time.After(coreLease)
		s.settle()
		if on := s.askAll(s.Node(0), 60, 0); len(on) != 1 || !on["node-4"] {
			t.Errorf("after a crash the actors are on %v", on)
		}
		if owners := s.core.owners("room"); owners["node-4"] != defaultShards {
			t.Errorf("owners: %v", owners)
		}
	})
}

func TestWithoutANodeOfItsRoleAKindIsUnavailable(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:2], OnRole("worker"))
		<-time.After(time.Second)
		refused := func(on int, why string) {
			t.Helper()
			began := time.Now()
			_, err := actor.Ask(within(t, time.Minute), roomOf(s.Node(on), "k"), Add{})
			wantCode(t, "asked", err, actor.Unavailable)
			if took := time.Since(began); took > 1300*time.Millisecond || !strings.Contains(err.Error(), why) {
				t.Errorf("after %v: %v", took, err)
			}
			wantCode(t, "told", actor.Tell(roomOf(s.Node(on), "k"), Note{}), actor.Unavailable)
		}
		refused(0, `no node with the role "worker"`)
		s.serve("room", s.all()[2:], OnRole("worker"), Roles("worker"))
		s.askAll(s.Node(0), 10, 1)
		s.leave(2)
		<-time.After(2 * time.Second)
		refused(1, `no node with the role "worker"`)
	})
}

func TestASingletonRunsOnANodeWithItsRole(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		var refs []actor.Ref[Room]
		for i, n := range s.all() {
			roles := Roles()
			if i == 2 {
				roles = Roles("master")
			}
			ref, err := Singleton(n, s.ledger.definition("janitor"), OnRole("master"), roles)
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
		}
		s.settle()
		for i, ref := range refs {
			if got, err := actor.Ask(within(t, time.Second), ref, Add{}); err != nil || got.Node != "node-2" || got.Count != i+1 {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}

func TestBestEffortKeepsToTheRole(t *testing.T) {
	play(t, 3, func(t *testing.T, s *stage) {
		s.serve("room", s.all()[:1], BestEffort(), OnRole("worker"))
		s.serve("room", s.all()[1:], BestEffort(), OnRole("worker"), Roles("worker"))
		s.AwaitService(offerName("room"), 2)
		s.settle()
		if on := s.askAll(s.Node(0), 60, 1); len(on) != 2 || on["node-0"] {
			t.Errorf("the actors are on %v", on)
		}
	})
}

func TestNodesWithOtherSettingsRunNothing(t *testing.T) {
	for what, other := range map[string][]Option{
		"shards": {Shards(16)},
		"role":   {OnRole("worker"), Roles("worker")},
	} {
		t.Run(what, func(t *testing.T) {
			var log recorder
			play(t, 4, func(t *testing.T, s *stage) {
				s.serve("room", s.all()[:2])
				s.serve("room", s.all()[2:3], other...)
				for j := range 4 {
					if on := s.askAll(s.Node(j), 60, j+1); len(on) != 2 || on["node-2"] {
						t.Fatalf("asked from node %d, the actors are on %v", j, on)
					}
				}
				if n := log.count("served with other settings"); n != 1 {
					t.Errorf("it was said %d times", n)
				}
				// What the others have is in force until the last of them has left.
				s.leave(0)
				s.settle()
				if on := s.askAll(s.Node(2), 60, 0); len(on) != 1 || !on["node-1"] {
					t.Errorf("with one of them left, the actors are on %v", on)
				}
				s.leave(1)
				s.settle()
				for j := 2; j < 4; j++ {
					if on := s.askAll(s.Node(j), 60, j-1); len(on) != 1 || !on["node-2"] {
						t.Errorf("when they have left, the actors are on %v", on)
					}
				}
			}, cluster.WithLogger(log.logger()))
		})
	}
}

// TestOfTwoFirstNodesOneDecides also crashes those that agreed with it.
func TestOfTwoFirstNodesOneDecides(t *testing.T) {
	play(t, 4, func(t *testing.T, s *stage) {
		s.core.latency = 20 * time.Millisecond // all decide before they know of others
		for i, n := range s.all() {
			if err := Serve(n, s.ledger.definition("room"), Shards(16+i%2)); err != nil {
				t.Fatal(err)
			}
		}
		s.settle()
		on := s.askAll(s.Node(0), 60, 1)
		if len(on) != 2 || on["node-0"] != on["node-2"] || on["node-1"] != on["node-3"] {
			t.Fatalf("the actors are on %v", on)
		}
		for i := range 4 {
			if on[s.Node(i).Name()] {
				s.crash(i)
			}
		}
		<-time.After(coreLease)
		s.settle()
		for i := range 4 {
			if name := s.Node(i).Name(); !on[name] {
				if after := s.askAll(s.Node(i), 60, 0); len(after) != 2 || !after[name] {
					t.Errorf("then the actors are on %v", after)
				}
			}
		}
	})
}

func TestWhatIsKeptMovesWithTheRoles(t *testing.T) {
	playReplicated(t, 3, func(t *testing.T, s *stage) {
		const keys = 20
		serve := func(n *cluster.Node, options ...Option) {
			t.Helper()
			if err := Serve(n, tallies(n), append(options, OnRole("worker"), Shards(16))...); err != nil {
				t.Fatal(err)
			}
		}
		serve(s.Node(0))
		serve(s.Node(1), Roles("worker"))
		for i := range keys {
			for {
				if _, err := actor.Ask(within(t, 5*time.Second), roomOf(s.Node(0), fmt.Sprint(i)), Add{}); err == nil {
					break
				}
			}
		}
		for i, join := range []bool{true, false} {
			if join {
				serve(s.Node(2), Roles("worker"))
				<-time.After(5 * time.Second)
			} else if err := s.Node(1).Leave(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			on := s.askAll(s.Node(0), keys, i+2)
			if !on["node-2"] || on["node-1"] != join || on["node-0"] {
				t.Errorf("joined: %v, on %v", join, on)
			}
		}
	})
}

func TestRolesHaveNames(t *testing.T) {
	play(t, 1, func(t *testing.T, s *stage) {
		n := s.Node(0)
		for _, o := range []Option{OnRole("a role"), Roles("a/b"), Roles("good", ""), OnRole(strings.Repeat("x", 65))} {
			wantCode(t, "a bad role", Serve(n, s.ledger.definition("room"), o), actor.InvalidArgument)
		}
		_, err := Singleton(n, s.ledger.definition("janitor"), OnRole("a role"))
		wantCode(t, "a bad role of a singleton", err, actor.InvalidArgument)
		if err := Serve(n, s.ledger.definition("room"), OnRole(""), Roles()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}
