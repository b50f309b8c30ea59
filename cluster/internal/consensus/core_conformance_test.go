package consensus

import (
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/storetest"
)

// With TROUPE_THOROUGH in the environment, also those that hardly differ.
func TestCoreIsAStore(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for _, test := range []struct {
		name     string
		nodes    int
		at       func([]*node) *node
		thorough bool
	}{
		{"Alone", 1, func(nodes []*node) *node { return nodes[0] }, false},
		{"Leader", 3, func(nodes []*node) *node { return pick(nodes, true, true) }, true},
		{"Follower", 3, func(nodes []*node) *node { return pick(nodes, true, false) }, false},
		{"FourthWithoutReplica", 4, func(nodes []*node) *node { return pick(nodes, false, false) }, false},
		{"FifthWithoutReplica", 5, func(nodes []*node) *node { return pick(nodes, false, false) }, true},
	} {
		if test.thorough && !thorough() {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) persistence.Store {
				w := newWorld(t, 1)
				var nodes []*node
				for _, name := range names[:test.nodes] {
					nodes = append(nodes, w.join(name, func(c *Config) {
						c.Settle = 0
						c.Expect = min(3, test.nodes)
					}))
				}
				if _, err := persistence.Latest(t.Context(), nodes[0]); err != nil {
					t.Fatal(err)
				}
				return test.at(nodes)
			}, storetest.Within(synctest.Test))
		})
	}
}

// pick returns a node with a replica or without, and among the former the leader or not.
func pick(nodes []*node, replica, leads bool) *node {
	for _, n := range nodes {
		r := n.local()
		if r == nil {
			if !replica {
				return n
			}
			continue
		}
		if _, _, ok := r.Leads(); replica && ok == leads {
			return n
		}
	}
	panic("no such node")
}
