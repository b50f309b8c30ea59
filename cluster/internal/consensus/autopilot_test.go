package consensus

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

func (g *group) voting() []string {
	var nodes []string
	for _, v := range g.leader().Status().Voters {
		nodes = append(nodes, v.Node)
	}
	slices.Sort(nodes)
	return nodes
}

func (g *group) untilVoting(nodes ...string) {
	g.t.Helper()
	g.until(fmt.Sprint(nodes, " vote"), func() bool { return slices.Equal(g.voting(), nodes) })
}

func TestAutopilotAddsVotersUpToAnOddNumber(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c", "d", "e")
		for _, node := range g.nodes[1:] {
			g.setAway(node, true)
		}
		g.voters = 3
		g.found(1)
		g.fill(0, 5)
		g.setAway("b", false)
		g.until("b stands by", func() bool { return len(g.leader().Status().Others) == 1 })
		<-time.After(time.Minute)
		g.untilVoting("a")
		for _, node := range g.nodes[2:] {
			g.setAway(node, false)
		}
		g.untilVoting("a", "b", "c")
		<-time.After(time.Minute)
		if n := len(g.all()); n != 3 {
			t.Errorf("%d nodes have a replica", n)
		}
		g.fill(5, 5)
		g.equal(g.all()...)
		if s := g.leader().Status(); len(s.Healthy) != 3 || s.Leader == "" || s.Commit == 0 || s.Log < s.Commit {
			t.Errorf("Status: %+v", s)
		}
	})
}

func TestAutopilotReplacesAVoterThatIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c", "d")
		g.voters = 3
		g.setAway("d", true)
		g.found(3)
		g.fill(0, 5)
		gone := g.others(g.leader())[0]
		g.setAway(gone, true)
		g.stop(gone)
		<-time.After(3 * g.timing.Replace)
		g.untilVoting("a", "b", "c") // it keeps its seat while nobody can take it
		g.setAway("d", false)
		g.untilVoting(slices.DeleteFunc([]string{"a", "b", "c", "d"}, func(n string) bool { return n == gone })...)
		g.fill(5, 5)
		g.equal(g.all()...)
	})
}

func TestAutopilotReplacesAReplicaThatLostItsDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 5)
		lost := g.others(g.leader())[0]
		g.stop(lost)
		before := g.servers[lost]
		g.servers[lost] = "" // the next one is another server
		g.until("the node has a voter again", func() bool {
			s := g.leader().Status()
			return len(s.Voters) == 3 && !slices.ContainsFunc(s.Voters, func(v raftServer) bool { return v.Server == before }) && len(s.Others) == 0
		})
		g.fill(5, 1)
		g.equal(g.all()...)
	})
}

func TestAutopilotNeverLosesTheMajority(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c", "d", "e").found(5)
		g.fill(0, 1)
		l := g.leader()
		for _, node := range g.others(l)[:2] {
			g.setAway(node, true)
			g.stop(node)
		}
		<-time.After(5 * g.timing.Replace)
		if n := len(g.voting()); n != 5 {
			t.Errorf("%d vote, and nobody has taken the place of those who are gone", n)
		}
		g.fill(1, 1)
	})
}

func TestPolicyOfVoters(t *testing.T) {
	state := func(voters, gone, standbys int) *autopilot.State {
		s := &autopilot.State{Servers: map[raft.ServerID]*autopilot.ServerState{}}
		add := func(kind autopilot.RaftState, status autopilot.NodeStatus, n int) {
			for i := range n {
				id := raft.ServerID(fmt.Sprint(kind, status, i))
				s.Servers[id] = &autopilot.ServerState{State: kind, Server: autopilot.Server{ID: id, NodeStatus: status}}
				if kind == autopilot.RaftVoter {
					s.Voters = append(s.Voters, id)
				}
			}
		}
		add(autopilot.RaftVoter, autopilot.NodeAlive, voters)
		add(autopilot.RaftVoter, autopilot.NodeFailed, gone)
		add(autopilot.RaftNonVoter, autopilot.NodeAlive, standbys)
		return s
	}
	for _, c := range []struct{ wanted, voters, gone, standbys, promote, demote, remove int }{
		{3, 1, 0, 0, 0, 0, 0},
		{3, 1, 0, 1, 0, 0, 0}, // two voters are worse than one
		{3, 1, 0, 2, 2, 0, 0},
		{3, 2, 0, 1, 1, 0, 0},
		{3, 2, 1, 0, 0, 0, 0}, // nobody takes its place
		{3, 2, 1, 1, 1, 0, 0},
		{3, 3, 1, 0, 0, 0, 1},
		{3, 4, 0, 0, 0, 1, 0}, // it came back
		{5, 1, 0, 4, 4, 0, 0},
		{5, 3, 0, 1, 0, 0, 0},
		{5, 3, 2, 1, 0, 0, 0},
		{5, 3, 2, 2, 2, 0, 0},
		{5, 5, 2, 0, 0, 0, 2},
		{1, 3, 0, 0, 0, 2, 0},
	} {
		s := state(c.voters, c.gone, c.standbys)
		p := &pilot{replica: &replica{config: replicaConfig{Voters: c.wanted}}}
		changes := changeVoters(c.wanted, s, func(*autopilot.ServerState) bool { return true })
		failed := &autopilot.FailedServers{FailedVoters: make([]*autopilot.Server, c.gone)}
		removed := p.FilterFailedServerRemovals(nil, s, failed).FailedVoters
		if len(changes.Promotions) != c.promote || len(changes.Demotions) != c.demote || len(removed) != c.remove {
			t.Errorf("%+v: %d promotions, %d demotions, %d removals", c, len(changes.Promotions), len(changes.Demotions), len(removed))
		}
	}
}

func TestLeavingHandsOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 5)
		for left := 3; left > 1; left-- {
			l := g.leader()
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if err := l.Remove(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			g.setAway(l.config.Node, true)
			g.stop(l.config.Node)
			g.until("there are fewer voters", func() bool { return len(g.voting()) == left-1 })
			g.fill(0, 5)
			if d := time.Since(start); d > 500*time.Millisecond {
				t.Errorf("leadership was handed over in %v", d)
			}
		}
		last := g.leader()
		if err := last.Remove(t.Context()); err != nil {
			t.Errorf("Remove of the last one: %v", err)
		}
		if got := g.voting(); len(got) != 1 {
			t.Errorf("%v vote", got)
		}
	})
}

func TestStandbyTakesThePlaceOfALeaderThatLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b")
		g.voters = 3
		g.found(1)
		g.fill(0, 5)
		g.until("b stands by", func() bool {
			s := g.leader().Status()
			return len(s.Others) == 1 && len(s.Healthy) == 2
		})
		a := g.leader()
		if err := a.Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.setAway("a", true)
		g.stop("a")
		g.untilVoting("b")
		g.fill(5, 5)
		g.have("key 00000", "value 0", g.all()...)
	})
}

func TestLeavingWaitsWhenOthersCouldNotGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 5)
		l := g.leader()
		others := g.others(l)
		g.setAway(others[0], true)
		g.stop(others[0])
		<-time.After(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := g.replicas[others[1]].Remove(ctx); err == nil {
			t.Error("the leader remains alone, of two voters")
		}
		g.fill(5, 1)
		g.untilVoting("a", "b", "c")
	})
}
