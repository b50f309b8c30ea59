package consensus

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// onDisk returns a function that starts a node whose folder outlives it, and the folders.
func (w *world) onDisk(expect, voters int) (join func(name string) *node, dir func(name string) string) {
	dirs := map[string]string{}
	dir = func(name string) string {
		if dirs[name] == "" {
			dirs[name] = w.t.(*testing.T).TempDir()
		}
		return dirs[name]
	}
	return func(name string) *node {
		return w.join(name, func(c *Config) { c.Dir, c.Expect, c.Voters = dir(name), expect, voters })
	}, dir
}

func TestForgettingADeadNodeTakesItOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		join, _ := w.onDisk(3, 3)
		a, b, c := join("a"), join("b"), join("c")
		a.put("k", "1")
		<-time.After(5 * time.Second)
		if err := a.Forget(t.Context(), "c"); actor.CodeOf(err) != actor.FailedPrecondition {
			t.Errorf("forgetting a member: %v", err)
		}
		c.crash()
		if s := a.status(); len(s.Voters) != 3 || s.MayLose != 0 {
			t.Errorf("before: %+v", s)
		}
		if err := a.Forget(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		if s := b.status(); len(s.Voters) != 2 {
			t.Errorf("after: %+v", s)
		}
		c = join("c") // it was not gone for good, after all
		<-time.After(30 * time.Second)
		c.want("k", "1")
		if s := a.status(); len(s.Voters) != 3 || s.MayLose != 1 {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// TestAMajorityThatIsLostForGoodIsForgotten loses three of five disks, and has one of the
// lost nodes come back nevertheless.
func TestAMajorityThatIsLostForGoodIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		join, dir := w.onDisk(5, 5)
		nodes := map[string]*node{}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			nodes[name] = join(name)
		}
		nodes["a"].put("k", "1")
		<-time.After(5 * time.Second)
		nodes["b"].crash() // it lacks what comes now
		nodes["a"].put("k", "2")
		for _, name := range []string{"a", "c", "d", "e"} {
			nodes[name].want("k", "2")
		}
		<-time.After(time.Second)
		for _, name := range []string{"c", "d", "e"} {
			nodes[name].crash()
		}
		<-time.After(5 * time.Second)
		b := join("b")
		a := nodes["a"]
		<-time.After(10 * time.Second)
		if err := a.rests(); !strings.Contains(fmt.Sprint(err), "Forget") {
			t.Errorf("the error does not say what to do: %v", err)
		}
		refused := func(n *node, names ...string) {
			t.Helper()
			if err := n.Forget(t.Context(), names...); actor.CodeOf(err) != actor.FailedPrecondition {
				t.Errorf("%s forgets %s: %v", n.name, names, err)
			}
		}
		refused(a, "c", "d")      // e may be back
		refused(b, "c", "d", "e") // a has a newer copy
		refused(a, "b", "c", "d", "e")
		if err := a.Forget(t.Context(), "c", "d", "e"); err != nil {
			t.Fatal(err)
		}
		a.put("k2", "3")
		a.want("k", "2")
		<-time.After(30 * time.Second)
		b.want("k2", "3")
		if aside, _ := filepath.Glob(filepath.Join(dir("b"), replicaFolder+"-of-*")); len(aside) != 1 {
			t.Errorf("what b had is not put aside: %v", aside)
		}
		for _, name := range []string{"c", "d", "e"} { // a majority of before
			nodes[name] = join(name)
		}
		<-time.After(time.Minute)
		w.oneCore()
		for _, n := range []*node{a, b, nodes["c"], nodes["d"], nodes["e"]} {
			n.want("k2", "3")
			if err := n.Ready(t.Context()); err != nil {
				t.Errorf("%s is not ready: %v", n.name, err)
			}
		}
		if s := a.status(); len(s.Voters) != 5 || s.MayLose != 2 || len(s.Foreign) > 0 {
			t.Errorf("in the end: %+v", s)
		}
		all := []*node{a, b, nodes["c"], nodes["d"], nodes["e"]}
		for _, n := range all { // and once more from disk
			n.crash()
		}
		for i, n := range all {
			all[i] = join(n.name)
		}
		all[1].want("k2", "3")
	})
}

// TestTheLastToLeaveIsForgotten is for programs that end in any order, of which the last
// one has lost its disk.
func TestTheLastToLeaveIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		join, dir := w.onDisk(1, 3)
		a, b, c := join("a"), join("b"), join("c")
		a.put("k", "1")
		<-time.After(20 * time.Second)
		a.leave(t.Context())
		b.put("k", "2")
		<-time.After(time.Second)
		b.leave(t.Context())
		c.put("k", "3")
		c.leave(t.Context())
		if err := os.RemoveAll(dir("c")); err != nil {
			t.Fatal(err)
		}
		b = join("b")
		<-time.After(10 * time.Second)
		if err := b.rests(); !strings.Contains(fmt.Sprint(err), "missing: c") {
			t.Errorf("it does not say who left last: %v", err)
		}
		if err := b.Forget(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		b.want("k", "2")
		a = join("a")
		<-time.After(30 * time.Second)
		a.want("k", "2")
	})
}

// TestALostDiskIsSaidAndReplaced wipes the disk of a voter.
func TestALostDiskIsSaidAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		var logged lockedLog
		w.log = slog.New(slog.NewTextHandler(&logged, nil))
		join, dir := w.onDisk(3, 3)
		nodes := []*node{join("a"), join("b"), join("c")}
		nodes[0].put("k", "1")
		<-time.After(5 * time.Second)
		lost := pick(nodes, true, false)
		server := lost.identity().Server
		other := w.leader()
		lost.crash()
		if err := os.RemoveAll(dir(lost.name)); err != nil {
			t.Fatal(err)
		}
		lost = join(lost.name)
		start := time.Now()
		if s := other.status(); s.MayLose != 0 {
			t.Errorf("at once: %+v", s)
		}
		unready := 0
		for other.status().MayLose != 1 {
			if err := lost.Ready(t.Context()); err != nil {
				unready++
			}
			<-time.After(100 * time.Millisecond)
			if time.Since(start) > time.Minute {
				t.Fatalf("it never is replaced: %+v", other.status())
			}
		}
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("it votes again after %v", took)
		}
		if unready == 0 {
			t.Error("it was ready all the time")
		}
		if err := lost.Ready(t.Context()); err != nil {
			t.Errorf("in the end: %v", err)
		}
		if !strings.Contains(logged.String(), "come up without the copy") || !strings.Contains(logged.String(), server) {
			t.Error("it does not say what it has lost")
		}
		lost.want("k", "1")
	})
}

// TestANodeThatWaitsForALeaderSaysSo is about the log.
func TestANodeThatWaitsForALeaderSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		join, _ := w.onDisk(3, 3)
		nodes := []*node{join("a"), join("b"), join("c")}
		nodes[0].put("k", "1")
		<-time.After(5 * time.Second)
		for _, n := range nodes {
			n.leave(t.Context())
		}
		var logged lockedLog
		w.log = slog.New(slog.NewTextHandler(&logged, nil))
		a := join("a")
		<-time.After(20 * time.Second)
		times := strings.Count(logged.String(), "waits for a leader: 1 of 3 voters (a, b, c) can be reached (a): a minority; missing: b")
		if times < 2 || times > 6 {
			t.Errorf("it says so %d times in 20 seconds:\n%s", times, logged.String())
		}
		if err := a.Ready(t.Context()); err == nil {
			t.Error("it is ready")
		}
	})
}

// TestNodesThatHaveMetAnotherCoreAreNotReady founds two.
func TestNodesThatHaveMetAnotherCoreAreNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a, b := w.join("a"), w.join("b")
		w.split("a")
		<-time.After(10 * time.Second)
		for _, n := range []*node{a, b} {
			if _, err := persistence.Put(t.Context(), n, "k", nil); err != nil {
				t.Fatal(err)
			}
			if err := n.Ready(t.Context()); err != nil {
				t.Errorf("%s is not ready: %v", n.name, err)
			}
		}
		w.heal()
		<-time.After(time.Second)
		for _, n := range []*node{a, b} {
			if err := n.Ready(t.Context()); actor.CodeOf(err) != actor.FailedPrecondition {
				t.Errorf("%s: %v", n.name, err)
			}
			if s := n.status(); len(s.Foreign) != 1 || len(s.Foreign[0].Nodes) != 1 || s.Foreign[0].Nodes[0] == n.name {
				t.Errorf("%s: %+v", n.name, s)
			}
		}
	})
}
