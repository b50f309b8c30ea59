package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

// wantReady fails the test unless the node is ready.
func wantReady(t *testing.T, when string, nodes ...*cluster.Node) {
	t.Helper()
	for _, n := range nodes {
		if err := n.Ready(); err != nil {
			t.Errorf("%s: %s: %v", when, n.Name(), err)
		}
	}
}

// wantUnready fails the test if the node is ready, or does not say all the words.
func wantUnready(t *testing.T, when string, n *cluster.Node, words ...string) {
	t.Helper()
	err := n.Ready()
	if err == nil {
		t.Errorf("%s: %s is ready", when, n.Name())
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %s does not say %q: %v", when, n.Name(), w, err)
		}
	}
}

func put(t *testing.T, n *cluster.Node, key string) {
	t.Helper()
	if _, err := persistence.Put(t.Context(), n.Store(), key, nil); err != nil {
		t.Fatal(n.Name(), err)
	}
}

func TestANodeIsReadyWhenAsManyAreThereAsItExpects(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		a, b := c.Start("a"), c.Start("b")
		c.AwaitMembers(2)
		<-time.After(settled)
		for _, n := range []*cluster.Node{a, b} {
			wantUnready(t, "two of three", n, "2 of the 3 nodes", fmt.Sprintf("node %q is not ready", n.Name()))
		}
		third := c.Start("c")
		c.AwaitMembers(3)
		wantUnready(t, "just started", third, "just started")
		<-time.After(settled)
		wantReady(t, "before the first use", a, b, third)
		put(t, b, "k")
		<-time.After(settled)
		wantReady(t, "three vote", a, b, third)
	}, cluster.WithExpect(3))
}

func TestANodeAloneIsReadyIfItExpectsNobody(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		<-time.After(settled)
		wantReady(t, "before the first use", c.Node(0))
		put(t, c.Node(0), "k")
		wantReady(t, "after it", c.Node(0))
	})
}

func TestAMinorityIsNotReadyAndSaysSoWithinASecond(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		put(t, c.Node(0), "k")
		<-time.After(settled)
		c.Network.Partition([]string{"node-0"}, []string{"node-1", "node-2"})
		for _, wait := range []time.Duration{3 * time.Second, settled} { // not noticed by all, and noticed
			<-time.After(wait)
			began := time.Now()
			wantUnready(t, fmt.Sprint("apart for ", wait), c.Node(0), "no leader", "1 of 3 voters")
			if took := time.Since(began); took > time.Second {
				t.Errorf("apart for %v, it took %v", wait, took)
			}
		}
		wantReady(t, "the majority", c.Node(1), c.Node(2))
		c.Network.Heal()
		<-time.After(settled)
		wantReady(t, "together again", c.Nodes()...)
	}, cluster.WithExpect(3))
}

func TestALeaderThatIsGoneKeepsNobodyElseFromBeingReady(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		put(t, c.Node(0), "k")
		<-time.After(settled)
		wantReady(t, "at first", c.Nodes()...) // all know who leads
		gone := c.Node(0).Store().Leader()
		for i := range 3 {
			if c.Node(i).Name() == gone {
				c.Crash(i)
			}
		}
		<-time.After(5 * time.Second)
		for _, n := range c.Nodes() {
			if n.Name() == gone {
				continue
			}
			wantReady(t, "after "+gone+" has crashed", n)
			if s, err := n.Store().Status(t.Context()); !s.Quorum || err != nil {
				t.Errorf("%s: %+v, %v", n.Name(), s, err)
			}
		}
	}, cluster.WithExpect(3))
}

func TestNodesThatHaveMetAnotherStoreAreNotReady(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		c.Network.Partition([]string{"a"}, []string{"b"})
		a, b := c.Start("a"), c.Start("b")
		put(t, a, "k")
		put(t, b, "k")
		wantReady(t, "apart", a, b)
		c.Network.Heal()
		c.AwaitMembers(2)
		<-time.After(settled)
		wantUnready(t, "met", a, "has met core", "on b")
		wantUnready(t, "met", b, "has met core", "on a")
		status, err := a.Store().Status(t.Context())
		if len(status.Foreign) != 1 || len(status.Foreign[0].Nodes) != 1 || status.Foreign[0].Nodes[0] != "b" {
			t.Errorf("its status is %+v, %v", status, err)
		}
		leave(t, b)
		<-time.After(settled)
		wantReady(t, "alone again", a)
	})
}

func TestANodeThatLeavesIsNotReadyFromTheStart(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n, begun, goOn := c.Node(0), make(chan struct{}), make(chan struct{})
		n.OnLeave(func(context.Context) {
			close(begun)
			<-goOn
		})
		<-time.After(settled)
		wantReady(t, "before", n)
		left := make(chan error, 1)
		go func() { left <- n.Leave(within(t, time.Minute)) }()
		<-begun
		wantUnready(t, "while it leaves", n, "is leaving")
		if err := n.Ready(); !errors.Is(err, cluster.ErrLeft) {
			t.Errorf("while it leaves: %v, want ErrLeft", err)
		}
		wantReady(t, "the other one", c.Node(1))
		close(goOn)
		if err := <-left; err != nil {
			t.Error(err)
		}
		wantUnready(t, "after it has left", n, "has left")
	})
}

func TestANodeWithAnEmptyDiskIsReadyWhenItsNewCopyVotes(t *testing.T) {
	dir := clustertest.TempDir(t)
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		state := func(i int) cluster.Option { return cluster.WithStateDir(filepath.Join(dir, fmt.Sprint(i))) }
		for i := range 3 {
			c.Start(fmt.Sprintf("node-%d", i), state(i))
		}
		c.AwaitMembers(3)
		put(t, c.Node(0), "k")
		<-time.After(settled)
		wantReady(t, "at first", c.Nodes()...)
		leave(t, c.Node(1))
		if err := os.RemoveAll(filepath.Join(dir, "1")); err != nil {
			t.Fatal(err)
		}
		var log journal
		n := c.Restart(1, state(1), cluster.WithLogger(log.logger(slog.LevelInfo)))
		var unready []string
		for range 600 {
			err := n.Ready()
			status, _ := c.Node(0).Store().Status(t.Context())
			if err == nil {
				if mine := replicasOn(status, "node-1"); len(mine) != 1 || !mine[0].Voter || !mine[0].Current {
					t.Errorf("it is ready while the store has %+v", status)
				}
				break
			}
			unready = append(unready, err.Error())
			<-time.After(100 * time.Millisecond)
		}
		<-time.After(settled)
		wantReady(t, "in the end", c.Nodes()...)
		if all := strings.Join(unready, "\n"); !strings.Contains(all, "has come up without the copy of the replicated store that it had (node-1") {
			t.Errorf("it was not ready because of\n%s", all)
		}
		if logged := log.take(); !strings.Contains(logged, "has come up without the copy of the replicated store that it had") || !strings.Contains(logged, "server=node-1") {
			t.Errorf("it has logged\n%s", logged)
		}
	}, cluster.WithExpect(3))
}

// replicasOn are those of one node.
func replicasOn(s cluster.StoreStatus, node string) (all []cluster.StoreReplica) {
	for _, r := range s.Replicas {
		if r.Node == node {
			all = append(all, r)
		}
	}
	return all
}
