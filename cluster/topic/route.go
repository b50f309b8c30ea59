package topic

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
)

// route is who wants the events of one topic. It does not change, but for whose turn it
// is.
type route struct {
	subs   []*Subscription // of this node, without a group; those of a type in a row
	groups []*group        // by name
	nodes  []destination   // others, by name
}

// destination is another node that wants events for itself or for a group.
type destination struct {
	node  string
	plain bool // for itself
}

// group is one group of subscribers, on all nodes.
type group struct {
	name    string
	members []*Subscription // of this node
	shares  []share
	turn    atomic.Uint64
	inTurn  atomic.Uint64 // of the members
}

// share is the part of a group that is on one node.
type share struct {
	node  int    // index of the destination, or here
	until uint64 // members of this share and those before it
}

// What a pick may be beside the index of a destination.
const (
	here   = -1
	nobody = -2
)

func newRoute(entries []*entry) *route {
	r := new(route)
	groups := make(map[string][]*entry)
	for _, e := range entries {
		switch {
		case e.group != "":
			groups[e.group] = append(groups[e.group], e)
		case e.sub != nil:
			r.subs = append(r.subs, e.sub)
		}
		if e.node != "" {
			r.destine(e)
		}
	}
	// An event is decoded once for each type in a row.
	slices.SortStableFunc(r.subs, func(a, b *Subscription) int { return strings.Compare(a.kind.name, b.kind.name) })
	for name, entries := range groups {
		r.groups = append(r.groups, r.newGroup(name, entries))
	}
	slices.SortFunc(r.groups, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	return r
}

// destine makes the node of e a destination.
func (r *route) destine(e *entry) {
	i, known := r.find(e.node)
	if !known {
		r.nodes = slices.Insert(r.nodes, i, destination{node: e.node})
	}
	if e.group == "" {
		r.nodes[i].plain = true
	}
}

func (r *route) find(node string) (int, bool) {
	return slices.BinarySearchFunc(r.nodes, node, func(d destination, node string) int { return cmp.Compare(d.node, node) })
}

// newGroup is called when all destinations are known.
func (r *route) newGroup(name string, entries []*entry) *group {
	g := &group{name: name}
	counts := make(map[int]uint64)
	for _, e := range entries {
		if e.sub != nil {
			g.members = append(g.members, e.sub)
			counts[here]++
			continue
		}
		i, _ := r.find(e.node)
		counts[i] += uint64(e.members)
	}
	total := uint64(0)
	for i := here; i < len(r.nodes); i++ {
		if counts[i] > 0 {
			total += counts[i]
			g.shares = append(g.shares, share{node: i, until: total})
		}
	}
	// Nodes that start at the same time should not send to the same members.
	g.turn.Store(rand.Uint64())
	g.inTurn.Store(rand.Uint64())
	return g
}

// pick returns where the next event of the group goes: each member in its turn.
func (g *group) pick() int {
	if len(g.shares) == 1 {
		return g.shares[0].node
	}
	turn := g.turn.Add(1) % g.shares[len(g.shares)-1].until
	for _, s := range g.shares {
		if turn < s.until {
			return s.node
		}
	}
	return nobody // there is always a share
}

// member returns the member on this node that gets the next event: the one whose turn it
// is, or the one after it if that has less to do (Mitzenmacher, "The Power of Two
// Choices", 2001), and not one that is full if there is another.
func (g *group) member() *Subscription {
	count := uint64(len(g.members))
	if count == 1 {
		return g.members[0]
	}
	turn := g.inTurn.Add(1)
	chosen := g.members[turn%count]
	if next := g.members[(turn+1)%count]; next.waiting.Load() < chosen.waiting.Load() {
		chosen = next
	}
	for i := uint64(2); chosen.full() && i < count; i++ {
		if other := g.members[(turn+i)%count]; !other.full() {
			chosen = other
		}
	}
	return chosen
}

// alone reports whether at most one subscription of this node gets what is sent to that
// address.
func (r *route) alone(to address) bool {
	switch {
	case to.groups == "":
		return len(r.subs) <= 1
	case to.plain():
		return false
	}
	return !strings.Contains(to.groups, ",")
}

// group returns the group with that name, nil if there is none.
func (r *route) group(name string) *group {
	for _, g := range r.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}

// local reports whether this node wants the events, or may have to.
func (r *route) local() bool {
	return len(r.subs) > 0 || slices.ContainsFunc(r.groups, func(g *group) bool { return len(g.members) > 0 })
}

// foreign reports whether a subscription of this node is for events of another type.
func (r *route) foreign(k *kind) bool {
	other := func(s *Subscription) bool { return s.kind.goType != k.goType }
	return slices.ContainsFunc(r.subs, other) ||
		slices.ContainsFunc(r.groups, func(g *group) bool { return slices.ContainsFunc(g.members, other) })
}

func (r *route) interested(self string) []string {
	var names []string
	for _, d := range r.nodes {
		names = append(names, d.node)
	}
	if r.local() {
		names = append(names, self)
	}
	slices.Sort(names)
	return names
}
