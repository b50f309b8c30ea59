package cluster

import (
	"bytes"
	"iter"
	"maps"
)

// Announce lets all nodes of the cluster learn data, in place of what this node has
// announced under that name before; nil takes it back. Gossip spreads it like the
// node's services, soon but not at once: see [Node.Announced]. name should be that of
// an extension. data is copied. All that a node announces and serves must fit into
// 1 MiB, and a few hundred bytes spread fastest.
//
// The error is ResourceExhausted when it is too much, and what was announced before
// stays; it is [ErrLeft] when the node has left.
func (n *Node) Announce(name string, data []byte) error {
	if err := n.present(); err != nil {
		return err
	}
	if err := n.directory.announceAs(name, bytes.Clone(data)); err != nil {
		return tooMuch(name, err)
	}
	return nil
}

// Room returns about how many bytes this node could announce and serve more, for extensions
// that announce in the background and have to refuse what would not fit: at least as many,
// unless others of this node are faster.
func (n *Node) Room() int { return max(0, maxOffered-int(n.directory.offered.Load())) }

// Announced returns what the other nodes announce under that name, as this one has
// learnt so far. It is cheap, and the pointer is the same as long as nothing has
// changed. [Node.Await] waits for changes.
func (n *Node) Announced(name string) *Announcements {
	return n.directory.view().announced[name]
}

// Announcements are what the other nodes of a cluster announce under one name. They do
// not change, and may be read concurrently. Nil is none.
type Announcements struct{ byNode map[string][]byte }

// All returns the names of nodes and their data, which must not be changed.
func (a *Announcements) All() iter.Seq2[string, []byte] {
	if a == nil {
		return func(func(string, []byte) bool) {}
	}
	return maps.All(a.byNode)
}

// collectAnnouncements gathers what the nodes of v announce. What has not changed is taken
// from the view before.
func (v *view) collectAnnouncements(before *view) {
	for _, p := range v.nodes {
		for name, data := range p.announced {
			if v.announced[name] == nil {
				v.announced[name] = &Announcements{byNode: make(map[string][]byte)}
			}
			v.announced[name].byNode[p.Node] = data
		}
	}
	for name, a := range v.announced {
		if known := before.announced[name]; known != nil && maps.EqualFunc(a.byNode, known.byNode, bytes.Equal) {
			v.announced[name] = known
		}
	}
}
