package consensus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/persistence"
)

func inBubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func TestReplicaAloneLeads(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		r := g.leader()
		outcomes, err := r.Propose(t.Context(), "me", 1, []persistence.Transaction{put("x", "1"), {If: []persistence.Condition{{Key: "x"}}}})
		if err != nil || len(outcomes) != 2 || outcomes[0].Err != nil || !errors.Is(outcomes[1].Err, persistence.ErrConflict) {
			t.Fatalf("Propose: %v, %v", outcomes, err)
		}
		if err := r.ReadBarrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.have("x", "1", r)
		if node, term := r.Leader(); node != "a" || term == 0 {
			t.Errorf("Leader: %s, %d", node, term)
		}
	})
}

func TestThreeReplicasAgree(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 20)
		g.equal(g.all()...)
		l := g.leader()
		for _, r := range g.all() {
			if r == l {
				continue
			}
			_, err := r.Propose(t.Context(), "", 0, []persistence.Transaction{put("x", "1")})
			if e := (notLeaderError{}); !errors.Is(err, errNotLeader) || !errors.As(err, &e) || e.Leader != l.config.Node {
				t.Errorf("Propose to a follower: %v", err)
			}
			if err := r.ReadBarrier(t.Context()); !errors.Is(err, errNotLeader) {
				t.Errorf("ReadBarrier of a follower: %v", err)
			}
			if node, _ := r.Leader(); node != l.config.Node {
				t.Errorf("%s takes %q for the leader", r.config.Node, node)
			}
		}
	})
}

func TestIsolatedLeaderStepsDownAndCatchesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 3)
		old := g.leader()
		ended, _, _ := old.Leads()
		g.net.isolate(old.config.Node, g.nodes, true)
		lost := make(chan error, 1)
		go func() {
			_, err := old.Propose(background, "", 0, []persistence.Transaction{put("lost", "1")})
			lost <- err
		}()
		<-ended
		if err := <-lost; err == nil || errors.Is(err, errNotLeader) {
			t.Errorf("Propose of a leader cut off: %v, want that it is not known", err)
		}
		g.leader(g.others(old)...)
		g.fill(3, 3)
		<-time.After(10 * g.timing.Election)
		if _, _, ok := old.Leads(); ok {
			t.Error("a minority has a leader")
		}
		g.net.isolate(old.config.Node, g.nodes, false)
		g.have("key 00005", "value 5", g.all()...)
		g.fill(6, 1)
		g.equal(g.all()...)
		if _, err := old.Store().Get(t.Context(), "lost"); !errors.Is(err, persistence.ErrNotFound) {
			t.Errorf("what no majority had: %v", err)
		}
	})
}

func TestDeposedLeaderAnswersNoRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.write("", 0, put("x", "old"))
		old := g.leader()
		for _, oneWay := range []bool{true, false} {
			// It still hears the others, but they do not hear it; or nobody hears anybody.
			for _, other := range g.others(old) {
				g.net.set(old.config.Node, other, true)
				g.net.set(other, old.config.Node, !oneWay)
			}
			reads := make(chan error, 100)
			stop := time.After(20 * g.timing.Election)
			readers := 0
			next := g.leader(g.others(old)...)
			if _, err := next.Propose(t.Context(), "", 0, []persistence.Transaction{put("x", "new")}); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				readers++
				go func() {
					ctx, cancel := context.WithTimeout(background, 5*time.Second)
					defer cancel()
					reads <- old.ReadBarrier(ctx)
				}()
				tick()
			}
			<-stop
			for range readers {
				if err := <-reads; err == nil {
					t.Error("a leader of before has answered a read")
				}
			}
			g.net.isolate(old.config.Node, g.nodes, false)
			g.have("x", "new", g.all()...)
			old = g.leader()
			g.write("", 0, put("x", "old"))
		}
	})
}

func TestAnswerFromBeforeTheReadProvesNothing(t *testing.T) {
	a := newAnswers()
	early := a.ask()
	read := a.ask()
	a.note("b", answer{sent: early, term: 3})
	if ok, _ := a.since(read, 3, []raft.ServerID{"b", "c"}, 1); ok {
		t.Error("an answer to an earlier question counts")
	}
	a.note("b", answer{sent: a.ask(), term: 2})
	if ok, _ := a.since(read, 3, []raft.ServerID{"b", "c"}, 1); ok {
		t.Error("an answer in another term counts")
	}
	_, changed := a.since(read, 3, []raft.ServerID{"b", "c"}, 1)
	a.note("b", answer{sent: a.ask(), term: 3})
	<-changed
	if ok, _ := a.since(read, 3, []raft.ServerID{"b", "c"}, 1); !ok {
		t.Error("an answer to a later question does not count")
	}
}

func TestProposalIsAppliedOnceOverLeaders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		count := func(n int) persistence.Transaction { return put(fmt.Sprintf("count/%d", n), "") }
		first := g.write("lane", 1, count(1))
		old := g.leader()
		if again := g.write("lane", 1, count(2)); again[0] != first[0] {
			t.Errorf("the same proposal has the outcomes %v, and first had %v", again, first)
		}
		if err := old.StepDown(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := g.leader()
		if next == old {
			t.Fatal("StepDown has no effect")
		}
		if again := g.write("lane", 1, count(3)); again[0] != first[0] {
			t.Errorf("the next leader has the outcomes %v, and the first had %v", again, first)
		}
		g.write("lane", 2, count(4))
		if _, err := next.Propose(t.Context(), "lane", 1, []persistence.Transaction{count(5)}); !errors.Is(err, errStale) {
			t.Errorf("a proposal from before the last one: %v", err)
		}
		records, err := next.Store().List(t.Context(), persistence.Query{Prefix: "count/"})
		if err != nil || len(records) != 2 {
			t.Errorf("%d of the proposals were applied, %v", len(records), err)
		}
		g.equal(g.all()...)
	})
}

func TestRecordsExpireOnAllReplicas(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c")
		g.timing = LAN() // minutes of fewer heartbeats
		g.found(3)
		soon := put("soon", "1")
		soon.Then[0].TTL = time.Minute
		g.write("", 0, soon)
		start := time.Now()
		l := g.leader()
		before := l.raft.LastIndex()
		for _, r := range g.all() {
			for changes, err := range r.Store().Watch(t.Context(), "soon", 2) {
				if err != nil {
					t.Fatal(err)
				}
				if !changes.Changes[0].Expired {
					t.Errorf("%s: %+v", r.config.Node, changes)
				}
				break
			}
		}
		if d := time.Since(start); d < time.Minute || d > time.Minute+time.Second {
			t.Errorf("it has expired after %v", d)
		}
		<-time.After(3 * time.Minute)
		if n := l.raft.LastIndex() - before; n != 1 {
			t.Errorf("%d entries for one record that expires", n)
		}
		g.equal(g.all()...)
	})
}

func TestFollowerCatchesUpByLogAndBySnapshot(t *testing.T) {
	for _, count := range []int{5, 200} {
		t.Run(fmt.Sprint(count, " entries"), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newGroup(t, "a", "b", "c")
				g.threshold = 20
				g.found(3)
				g.fill(0, 3)
				l := g.leader()
				away := g.others(l)[0]
				g.net.isolate(away, g.nodes, true)
				g.fill(3, count)
				<-time.After(time.Second) // for the log to be cut
				g.net.isolate(away, g.nodes, false)
				g.fill(3+count, 1)
				g.equal(g.all()...)
				marked, err := g.replicas[away].machine.snapshots.List()
				if err != nil || (count > 100) != (len(marked) > 0 && marked[0].Index > 100) {
					t.Errorf("the snapshot of the follower is %+v, %v", marked, err)
				}
			})
		})
	}
}

func TestProposalThatIsTooLargeIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		r := g.leader()
		large := put("x", string(make([]byte, maxProposal)))
		if _, err := r.Propose(t.Context(), "", 0, []persistence.Transaction{large}); !errors.Is(err, persistence.ErrInvalid) {
			t.Errorf("Propose: %v", err)
		}
		fits := put("x", string(make([]byte, 1<<20-1024)))
		for range 5 {
			if _, err := r.Propose(t.Context(), "", 0, []persistence.Transaction{fits}); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestClosedReplicaRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a").found(1)
		r := g.leader()
		for range 3 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		_, err := r.Propose(t.Context(), "", 0, nil)
		if !errors.Is(err, persistence.ErrClosed) && !errors.Is(err, errNotLeader) {
			t.Errorf("Propose: %v", err)
		}
		if err := r.ReadBarrier(t.Context()); !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("ReadBarrier: %v", err)
		}
	})
}
