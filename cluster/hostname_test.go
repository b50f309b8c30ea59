package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// unnamed starts a node that has its name from its host and its state folder.
func unnamed(t *testing.T, c *clustertest.Cluster, host, state string) *cluster.Node {
	t.Helper()
	<-time.After(time.Second) // the later one is to go
	n, err := c.TryStart(c.Network.Host(host), "", cluster.WithStateDir(state))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHostsWithOneNameHaveNodesWithTwo(t *testing.T) {
	states := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		names := make(map[string]bool)
		var nodes []*cluster.Node
		for i, host := range []string{"a", "b", "c"} {
			nodes = append(nodes, unnamed(t, c, host, states[i]))
			names[nodes[i].Name()] = true
		}
		first := nodes[0].Name()
		if len(names) != 3 || !strings.HasSuffix(first, "-0") {
			t.Fatalf("their names are %v", names)
		}
		for _, n := range nodes[1:] {
			if !strings.HasPrefix(n.Name(), strings.TrimSuffix(first, "0")) || !strings.HasSuffix(n.Name(), "-0") {
				t.Errorf("%q does not tell its host, as %q does", n.Name(), first)
			}
		}
		c.AwaitMembers(3)
		// Each keeps its name, whoever comes first.
		leave(t, nodes...)
		for _, i := range []int{1, 0, 2} {
			host := []string{"a", "b", "c"}[i]
			if again := unnamed(t, c, host, states[i]); again.Name() != nodes[i].Name() {
				t.Errorf("%s was %q and is now %q", host, nodes[i].Name(), again.Name())
			}
		}
	})
}

func TestACopiedStateFolderGetsANameOfItsOwn(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		a, b := unnamed(t, c, "a", first), unnamed(t, c, "b", second)
		c.AwaitMembers(2)
		leave(t, a, b)
		// Both hosts are copies of the second one.
		third := t.TempDir()
		copyHostName(t, second, third)
		b, d := unnamed(t, c, "b", second), unnamed(t, c, "d", third)
		if b.Name() == d.Name() {
			t.Errorf("both are %q", b.Name())
		}
		c.AwaitMembers(2)
	})
}

func copyHostName(t *testing.T, from, to string) {
	t.Helper()
	name, err := os.ReadFile(filepath.Join(from, "host"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(to, "host"), name, 0o600))
}

func TestANameFromItsHostIsAnotherOneAfterAConflict(t *testing.T) {
	states := []string{t.TempDir(), t.TempDir()}
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		c.Network.Host("a")
		c.Network.Host("b")
		c.Network.Partition([]string{"node-0", "a"}, []string{"b"})
		a := unnamed(t, c, "a", states[0])
		<-time.After(time.Second)
		b := unnamed(t, c, "b", states[1])
		if a.Name() != b.Name() {
			t.Fatalf("they are %q and %q", a.Name(), b.Name())
		}
		c.Network.Heal()
		select {
		case <-b.Done():
		case <-time.After(time.Minute):
			t.Fatal("both stay")
		}
		if err := b.Err(); !errors.Is(err, cluster.ErrNameTaken) {
			t.Errorf("Err = %v", err)
		}
		if again := unnamed(t, c, "b", states[1]); again.Name() == a.Name() {
			t.Errorf("it is %q again", a.Name())
		}
		c.AwaitMembers(3)
	})
}
