package discoverytest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/cluster"
)

// A Factory returns one Discovery for each address, all on one medium that nobody
// else uses. The suite announces no other addresses than these; a discovery that
// publishes nothing is configured with all of them. Clean up with t.Cleanup.
type Factory func(t *testing.T, addresses []string) []cluster.Discovery

// attempts bounds how often a medium that may lose messages is asked again.
const attempts = 50

// Run checks the contract that every discovery keeps.
func Run(t *testing.T, factory Factory) {
	t.Helper()
	t.Run("has a name", func(t *testing.T) {
		if nodes := start(t, factory, 1); nodes.all[0].Name() == "" {
			t.Error("Name is empty")
		}
	})
	t.Run("nodes find the others and not themselves", func(t *testing.T) {
		nodes := start(t, factory, 3)
		nodes.announceAll()
		for i := range nodes.all {
			nodes.mustFind(i, slices.Concat(nodes.addresses[:i], nodes.addresses[i+1:])...)
		}
	})
	t.Run("announcing twice is announcing once", func(t *testing.T) {
		nodes := start(t, factory, 2)
		nodes.announceAll()
		nodes.announceAll()
		nodes.mustFind(0, nodes.addresses[1])
	})
	t.Run("bad announcements are refused", func(t *testing.T) {
		nodes := start(t, factory, 1)
		for _, bad := range []struct{ cluster, node, address string }{
			{"", "node", nodes.addresses[0]},
			{"../cluster", "node", nodes.addresses[0]},
			{nodes.cluster, "", nodes.addresses[0]},
			{nodes.cluster, "a/b", nodes.addresses[0]},
			{nodes.cluster, strings.Repeat("n", 300), nodes.addresses[0]},
			{nodes.cluster, "node", ""},
			{nodes.cluster, "node", "192.0.2.1"},
			{nodes.cluster, "node", "192.0.2.1:0"},
			{nodes.cluster, "node", "192.0.2.1:65536"},
			{nodes.cluster, "node", "0.0.0.0:7000"},
			{nodes.cluster, "node", ":7000"},
		} {
			if err := nodes.all[0].Announce(t.Context(), bad.cluster, bad.node, bad.address); err == nil {
				t.Errorf("Announce(%q, %q, %q) succeeded", bad.cluster, bad.node, bad.address)
			}
		}
	})
	t.Run("an ended context ends calls", func(t *testing.T) {
		nodes := start(t, factory, 2)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := nodes.all[0].Announce(ctx, nodes.cluster, "node", nodes.addresses[0]); !errors.Is(err, context.Canceled) {
			t.Errorf("Announce: got %v, want context.Canceled", err)
		}
		if _, err := nodes.all[0].Find(ctx, nodes.cluster); !errors.Is(err, context.Canceled) {
			t.Errorf("Find: got %v, want context.Canceled", err)
		}
	})
	t.Run("withdrawing is idempotent", func(t *testing.T) {
		nodes := start(t, factory, 1)
		nodes.withdraw(0)
		nodes.announceAll()
		nodes.withdraw(0)
		nodes.withdraw(0)
		nodes.announceAll()
	})
	t.Run("methods may be called concurrently", func(t *testing.T) {
		nodes := start(t, factory, 2)
		var wait sync.WaitGroup
		for range 4 {
			for i := range nodes.all {
				wait.Go(func() { nodes.announce(i, nodes.addresses[i]) })
				wait.Go(func() { nodes.find(i) })
				wait.Go(func() { nodes.withdraw(i) })
			}
		}
		wait.Wait()
		nodes.announceAll()
		nodes.mustFind(0, nodes.addresses[1])
	})
}

// RunPublishing checks the contract of [Run], and that others find what is announced.
func RunPublishing(t *testing.T, factory Factory) {
	t.Helper()
	Run(t, factory)
	t.Run("nobody is found before announcing", func(t *testing.T) {
		nodes := start(t, factory, 2)
		nodes.mustFind(0)
		nodes.announce(0, nodes.addresses[0])
		nodes.mustFind(0)
	})
	t.Run("a node that has announced nothing finds", func(t *testing.T) {
		nodes := start(t, factory, 2)
		nodes.announce(0, nodes.addresses[0])
		nodes.mustFind(1, nodes.addresses[0])
	})
	t.Run("a withdrawn node is not found", func(t *testing.T) {
		nodes := start(t, factory, 2)
		nodes.announceAll()
		nodes.mustFind(1, nodes.addresses[0])
		nodes.withdraw(0)
		nodes.mustFind(1)
		nodes.announce(0, nodes.addresses[0])
		nodes.mustFind(1, nodes.addresses[0])
	})
	t.Run("a new address replaces the old one", func(t *testing.T) {
		nodes := start(t, factory, 3)
		nodes.announce(0, nodes.addresses[0])
		nodes.announce(0, nodes.addresses[2])
		nodes.mustFind(1, nodes.addresses[2])
	})
	t.Run("clusters do not find each other", func(t *testing.T) {
		nodes := start(t, factory, 2)
		nodes.announceAll()
		found, err := nodes.all[1].Find(t.Context(), rand.Text())
		if err != nil || len(found) != 0 {
			t.Errorf("Find of another cluster = %q, %v; want nothing", found, err)
		}
	})
}

// group is the nodes of one cluster under test.
type group struct {
	t         *testing.T
	cluster   string
	addresses []string
	all       []cluster.Discovery
}

func start(t *testing.T, factory Factory, count int) *group {
	t.Helper()
	g := &group{t: t, cluster: rand.Text()}
	for i := range count {
		// A network that is nobody's, set aside for examples (RFC 5737).
		g.addresses = append(g.addresses, fmt.Sprintf("192.0.2.%d:%d", i+1, 7000+i))
	}
	g.all = factory(t, slices.Clone(g.addresses))
	if len(g.all) != count {
		t.Fatalf("the factory returned %d discoveries for %d addresses", len(g.all), count)
	}
	t.Cleanup(func() {
		for _, d := range g.all {
			if err := d.Withdraw(context.Background()); err != nil {
				t.Errorf("Withdraw: %v", err)
			}
		}
	})
	return g
}

func (g *group) announceAll() {
	g.t.Helper()
	for i, address := range g.addresses {
		g.announce(i, address)
	}
}

func (g *group) announce(i int, address string) {
	g.t.Helper()
	if err := g.all[i].Announce(g.t.Context(), g.cluster, "node-"+strconv.Itoa(i), address); err != nil {
		g.t.Errorf("Announce: %v", err)
	}
}

func (g *group) withdraw(i int) {
	g.t.Helper()
	if err := g.all[i].Withdraw(g.t.Context()); err != nil {
		g.t.Errorf("Withdraw: %v", err)
	}
}

func (g *group) find(i int) []string {
	g.t.Helper()
	found, err := g.all[i].Find(g.t.Context(), g.cluster)
	if err != nil {
		g.t.Errorf("Find: %v", err)
	}
	return slices.Sorted(slices.Values(found))
}

// mustFind asks until node i finds exactly want.
func (g *group) mustFind(i int, want ...string) {
	g.t.Helper()
	var found []string
	for range attempts {
		if found = g.find(i); slices.Equal(found, want) {
			return
		}
	}
	g.t.Fatalf("node %d found %q, want %q", i, found, want)
}
