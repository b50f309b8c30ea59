package consensus

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// permutations returns all orders of names.
func permutations(names []string) (orders [][]string) {
	if len(names) == 0 {
		return [][]string{nil}
	}
	for i, name := range names {
		for _, rest := range permutations(slices.Delete(slices.Clone(names), i, i+1)) {
			orders = append(orders, append([]string{name}, rest...))
		}
	}
	return orders
}

// orders returns pairs of orders in which nodes stop and start: a few, or, if
// TROUPE_ALL_ORDERS is set, all of three nodes and many of more.
func orders(names []string) (pairs [][2][]string) {
	all := permutations(names)
	for _, stop := range all {
		for _, start := range all {
			pairs = append(pairs, [2][]string{stop, start})
		}
	}
	random := rand.New(rand.NewPCG(uint64(len(names)), 1))
	random.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	switch all := os.Getenv("TROUPE_ALL_ORDERS") != ""; {
	case all:
		pairs = pairs[:min(len(pairs), 60)]
	case len(names) == 3:
		pairs = pairs[:3]
	default:
		pairs = pairs[:1]
	}
	return pairs
}

// rests reports the error of a write that should fail within a second.
func (n *node) rests() error {
	n.world.t.Helper()
	start := time.Now()
	_, err := persistence.Put(n.world.t.Context(), n, "alone", nil)
	if actor.CodeOf(err) != actor.Unavailable {
		n.world.t.Errorf("%s, alone: %v", n.name, err)
	}
	if took := time.Since(start); took > 4*time.Second {
		n.world.t.Errorf("%s, alone, has answered after %v", n.name, took)
	}
	return err
}

// TestNodesThatStopInTurnHaveEverythingWhenTheyAreBack stops voters one after the other,
// each of which takes its time, and starts them again. With Expect above 1 all are voters
// again, with 1 the last one to leave goes on at once, and the others wait for it.
func TestNodesThatStopInTurnHaveEverythingWhenTheyAreBack(t *testing.T) {
	for _, names := range [][]string{{"a", "b", "c"}, {"a", "b", "c", "d", "e"}} {
		for _, expect := range []int{1, len(names)} {
			for _, order := range orders(names) {
				stop, start := order[0], order[1]
				t.Run(fmt.Sprint(expect, stop, start), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { stopAndStart(t, names, expect, stop, start) })
				})
			}
		}
	}
}

func stopAndStart(t *testing.T, names []string, expect int, stop, start []string) {
	w := newWorld(t, 1)
	dirs, nodes := map[string]string{}, map[string]*node{}
	join := func(name string) *node {
		if dirs[name] == "" {
			dirs[name] = t.TempDir()
		}
		nodes[name] = w.join(name, func(c *Config) { c.Dir, c.Expect, c.Voters = dirs[name], expect, len(names) })
		return nodes[name]
	}
	for _, name := range names {
		join(name)
	}
	nodes["a"].put("k", "0")
	<-time.After(30 * time.Second)
	if got := len(w.leader().local().Status().Voters); got != len(names) {
		t.Fatalf("%d voters at first", got)
	}
	last, value := stop[len(stop)-1], "0"
	for i, name := range stop {
		began := time.Now()
		nodes[name].leave(t.Context())
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s has left after %v", name, took)
		}
		if _, err := os.Stat(filepath.Join(dirs[name], replicaFolder, storeFolder)); err != nil {
			t.Errorf("%s has not kept its replica: %v", name, err)
		}
		left := len(names) - i - 1
		if left > len(names)/2 || expect == 1 && left > 0 { // the others go on
			value = fmt.Sprint(i + 1)
			nodes[last].put("k", value)
		}
		<-time.After(time.Second)
	}
	<-time.After(15 * time.Second)
	served := false
	for i, name := range start {
		n := join(name)
		<-time.After(10 * time.Second)
		enough := i+1 > len(names)/2
		if expect == 1 {
			enough = slices.Contains(start[:i+1], last)
		}
		switch err := error(nil); {
		case enough:
			n.want("k", value)
			served = true
		default:
			err = n.rests()
			missing := last
			if expect > 1 {
				missing = "missing"
			}
			if !strings.Contains(fmt.Sprint(err), missing) {
				t.Errorf("%s does not say that %s: %v", name, missing, err)
			}
		}
	}
	if !served {
		t.Error("nobody has served")
	}
	<-time.After(30 * time.Second)
	for _, n := range nodes {
		n.want("k", value)
		if err := n.Ready(t.Context()); err != nil {
			t.Errorf("%s is not ready: %v", n.name, err)
		}
	}
	s := nodes["a"].status()
	if len(s.Voters) != len(names) || s.MayLose != len(names)/2 {
		t.Errorf("in the end: %+v", s)
	}
}

// TestANodeThatLeavesForGoodGivesUpItsPlace is for both kinds of cores.
func TestANodeThatLeavesForGoodGivesUpItsPlace(t *testing.T) {
	for _, expect := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			dir := t.TempDir()
			var nodes []*node
			for _, name := range []string{"a", "b", "c"} {
				nodes = append(nodes, w.join(name, func(c *Config) { c.Dir, c.Expect = filepath.Join(dir, name), expect }))
			}
			nodes[0].put("k", "v")
			<-time.After(10 * time.Second)
			if err := nodes[1].Leave(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "b", replicaFolder)); !os.IsNotExist(err) {
				t.Errorf("its replica is there: %v", err)
			}
			nodes[0].want("k", "v")
			if s := nodes[0].status(); slices.Contains(s.Voters, "b") {
				t.Errorf("it still votes: %+v", s)
			}
		})
	}
}

// TestALeaverWaitsUntilAnotherNodeTakesAPlace scales a cluster down from five nodes to three: two
// voters of three leave, one right after the other.
func TestALeaverWaitsUntilAnotherNodeTakesAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d", "e")
		nodes[0].put("k", "v")
		<-time.After(5 * time.Second)
		var voters, rest []*node
		for _, n := range nodes {
			if n.local() != nil {
				voters = append(voters, n)
			} else {
				rest = append(rest, n)
			}
		}
		for _, n := range voters[:2] {
			n.leave(t.Context())
		}
		for _, n := range append(rest, voters[2]) {
			n.want("k", "v")
		}
		<-time.After(30 * time.Second)
		if s := rest[0].status(); len(s.Voters) != 3 || s.MayLose != 1 {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// TestAServerThatHasLeftIsNotMadeAVoter is about decisions that rest on what was.
func TestAServerThatHasLeftIsNotMadeAVoter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGroup(t, "a", "b", "c").found(3)
		g.fill(0, 1)
		l := g.leader()
		gone := g.replicas[g.others(l)[0]]
		if err := gone.Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := gone.config.Server
		err := pilotedRaft{l.raft, l}.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, 0).Error()
		if err == nil {
			t.Error("it was added")
		}
		if got := g.voting(); len(got) != 2 {
			t.Errorf("%v vote", got)
		}
	})
}

// TestALeaderThatLeavesWaitsForACopyThatWasLost has voters in memory: one that was restarted
// has a new copy without a vote when the next one leaves.
func TestALeaderThatLeavesWaitsForACopyThatWasLost(t *testing.T) {
	for _, pause := range []time.Duration{100 * time.Millisecond, time.Second, 1300 * time.Millisecond, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			nodes := w.three("a", "b", "c")
			nodes[0].put("k", "v")
			<-time.After(5 * time.Second)
			for range 3 {
				leader := w.leader()
				leader.leave(t.Context())
				<-time.After(time.Second)
				w.join(leader.name, func(c *Config) { c.Expect = 3 })
				<-time.After(pause)
				for _, name := range w.names() {
					w.nodes[name].want("k", "v")
				}
			}
		})
	}
}
