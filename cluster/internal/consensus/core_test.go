package consensus

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestNodeAloneFoundsACore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		if _, err := persistence.Put(t.Context(), a, "k", []byte("v")); err != nil {
			t.Fatal(err)
		}
		r, err := a.Get(t.Context(), "k")
		if err != nil || string(r.Value) != "v" {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func TestLeavingNodeHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := []*node{w.join("a"), w.join("b"), w.join("c"), w.join("d")}
		nodes[3].put("k", "v")
		<-time.After(time.Minute)
		for len(nodes) > 1 {
			leader := w.leader()
			start := time.Now()
			leader.leave(t.Context())
			nodes = slices.DeleteFunc(nodes, func(n *node) bool { return n == leader })
			nodes[0].want("k", "v")
			nodes[0].put("k2", leader.name)
			if took := time.Since(start); took > 500*time.Millisecond {
				t.Errorf("%s has handed over in %v", leader.name, took)
			}
			<-time.After(time.Minute)
			w.mu.Lock()
			delete(w.nodes, leader.name)
			w.mu.Unlock()
		}
		nodes[0].leave(t.Context())
		nodes[0].leave(t.Context())
	})
}

func TestAllNodesAreBackAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		dirs := map[string]string{}
		names := []string{"a", "b", "c", "d"}
		start := func() (nodes []*node) {
			for _, name := range names {
				if dirs[name] == "" {
					dirs[name] = t.TempDir()
				}
				nodes = append(nodes, w.join(name, func(c *Config) { c.Dir, c.Expect = dirs[name], 3 }))
			}
			return nodes
		}
		nodes := start()
		nodes[3].put("k", "v")
		core := w.oneCore()
		for range 2 {
			for _, n := range nodes {
				n.crash()
			}
			nodes = start()
			for _, n := range nodes {
				n.want("k", "v")
			}
			if again := w.oneCore(); again != core {
				t.Errorf("core %s after a restart of %s", again, core)
			}
		}
		// A node that has lost its disk is a new server, and takes the place of the old.
		lost := pick(nodes, true, false)
		lost.crash()
		dirs[lost.name] = t.TempDir()
		names = []string{lost.name}
		lost = start()[0]
		<-time.After(time.Minute)
		lost.want("k", "v")
		voters := w.leader().local().Status().Voters
		if len(voters) != 3 {
			t.Errorf("the voters are %v", voters)
		}
	})
}

// TestTheFounderLeavesBeforeThereIsAnotherReplica also has all leave at the same time.
func TestTheFounderLeavesBeforeThereIsAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := []*node{w.join("a"), w.join("b"), w.join("c")}
		nodes[2].put("k", "v")
		founder := w.leader()
		founder.leave(t.Context())
		var rest []*node
		for _, n := range nodes {
			if n != founder {
				n.want("k", "v")
				rest = append(rest, n)
			}
		}
		start := time.Now()
		var leaving sync.WaitGroup
		for _, n := range rest {
			leaving.Go(func() { n.leave(t.Context()) })
		}
		leaving.Wait()
		if took := time.Since(start); took > w.timing.startup()+time.Second {
			t.Errorf("all have left after %v", took)
		}
	})
}

// TestNodeThatIsNotNeededGivesUpItsReplica brings back a node that was replaced.
func TestNodeThatIsNotNeededGivesUpItsReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		nodes[0].put("k", "v")
		away := pick(nodes, true, false)
		w.split(away.name)
		<-time.After(time.Minute) // the node without a replica takes its place
		w.heal()
		<-time.After(5 * time.Minute)
		away.want("k", "v")
		if away.local() != nil {
			for _, s := range w.leader().local().Status().Voters {
				if s.Node == away.name {
					return // it was needed again
				}
			}
			t.Errorf("%s has a replica that does not take part", away.name)
		}
	})
}

func TestFolderOfAnotherNodeIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := (identity{Node: "a", Core: "c"}).write(dir); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1)
	config := Config{
		Node: "b", Dir: dir, Members: func() []Member { return nil }, MembersChanged: w.change, Announce: func(Announcement) {},
		Dial:     func(context.Context, string) (net.Conn, error) { return nil, nil },
		Peer:     peerOf,
		Call:     func(context.Context, string, []byte) ([]byte, error) { return nil, nil },
		Listener: newMemListener("b"),
	}
	if _, err := New(config); actor.CodeOf(err) != actor.FailedPrecondition {
		t.Errorf("New with the folder of another node: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, identityName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(config); err == nil {
		t.Error("New with a folder that is damaged: no error")
	}
}

func TestLeavingEndsWithoutErrorWhenTheCoreIsClosedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		a.put("k", "v")
		if err := a.joining.take(t.Context()); err != nil { // as if something else changed the replica
			t.Fatal(err)
		}
		left := make(chan error, 1)
		go func() { left <- a.Leave(t.Context(), false) }()
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := <-left; err != nil {
			t.Error(err)
		}
		a.joining.done()
	})
}

func TestManyMayCloseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		a.put("k", "v")
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				if i%2 == 0 {
					if err := a.Leave(t.Context(), false); err != nil {
						t.Error(err)
					}
				}
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
}
