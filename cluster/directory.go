package cluster

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/catalog"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
)

// directory is what a node knows of the others: gossip writes it, routing reads a
// snapshot of it without a lock.
type directory struct {
	node *Node

	mu        sync.Mutex
	peers     map[uint64]*peer // by incarnation
	own       []served
	core      catalog.Core
	announced map[string][]byte // by this node
	changed   chan struct{}     // closed at the next change
	offered   atomic.Int64      // bytes of what is gossiped

	current atomic.Pointer[view]
}

// view is one state of the directory. It is immutable.
type view struct {
	nodes     map[string]*peer // without this node
	services  map[string]*pool
	announced map[string]*Announcements // by their name
}

// served is a service of this node.
type served struct {
	catalog.Service
	address actor.Address
}

func newDirectory(n *Node) *directory {
	d := &directory{
		node: n, peers: make(map[uint64]*peer), announced: make(map[string][]byte), changed: make(chan struct{}),
	}
	d.current.Store(&view{})
	return d
}

// joined records a process of another node.
func (d *directory) joined(m gossip.Member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.peers[m.Incarnation] = &peer{Member: m}
	d.rebuild()
}

// lost forgets a process.
func (d *directory) lost(m gossip.Member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.peers, m.Incarnation)
	d.rebuild()
}

// offers records what a process has to offer.
func (d *directory) offers(m gossip.Member, c catalog.Catalog) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.peers[m.Incarnation]; p != nil {
		d.peers[m.Incarnation] = &peer{Member: p.Member, services: c.Services, core: c.Core, announced: c.Announcements}
		d.rebuild()
	}
}

// fits returns an error if a service of this node could not be gossiped.
func (d *directory) fits(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.encode(d.with(served{Service: catalog.Service{Name: name, Path: name, UID: math.MaxUint64}}))
	return err
}

// add offers a service of this node, in place of an earlier one with its name, unless it
// cannot be gossiped.
func (d *directory) add(s served) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.own
	d.own = d.with(s)
	if err := d.gossip(); err != nil {
		d.own = before
		return err
	}
	d.rebuild()
	return nil
}

// with returns the services of this node with one more.
func (d *directory) with(s served) []served {
	others := slices.DeleteFunc(slices.Clone(d.own), func(o served) bool { return o.Name == s.Name })
	return append(others, s)
}

// remove takes back the services that match.
func (d *directory) remove(match func(served) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.own)
	d.own = slices.DeleteFunc(slices.Clone(d.own), match)
	if len(d.own) != before {
		d.publish()
	}
}

// announce says which core this node has a replica of.
func (d *directory) announce(c catalog.Core) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.core != c {
		d.core = c
		d.publish()
	}
}

// announceAs replaces one of the announcements of this node, unless it cannot be
// gossiped.
func (d *directory) announceAs(name string, data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, known := d.announced[name]
	if d.announced[name] = data; data == nil {
		delete(d.announced, name)
	}
	err := d.gossip()
	if err != nil {
		if d.announced[name] = before; !known {
			delete(d.announced, name)
		}
		return err
	}
	d.rebuild()
	return nil
}

// publish gossips what this node offers. The caller holds the lock.
func (d *directory) publish() {
	if err := d.gossip(); err != nil {
		d.node.log.Error("the catalog of services was not published", "error", err)
	}
	d.rebuild()
}

// gossip sends out the catalog. The caller holds the lock, so that the versions go out
// in order.
func (d *directory) gossip() error {
	data, err := d.encode(d.own)
	if err != nil {
		return err
	}
	if err := d.node.gossip.SetCatalog(data); err != nil {
		return err
	}
	d.offered.Store(int64(len(data)))
	return nil
}

// maxOffered is how large a catalog may be without its core, which comes and goes by
// itself and must always find room.
const maxOffered = gossip.MaxCatalogLen - catalog.MaxCoreLen

// encode returns the catalog with these services. The caller holds the lock.
func (d *directory) encode(own []served) ([]byte, error) {
	c := catalog.Catalog{Services: make([]catalog.Service, len(own)), Announcements: d.announced}
	for i, s := range own {
		c.Services[i] = s.Service
	}
	data, err := catalog.Encode(c)
	if err == nil && len(data) > maxOffered {
		err = fmt.Errorf("%w: %d bytes; keep it within %d", gossip.ErrCatalogTooLarge, len(data), maxOffered)
	}
	if err != nil || d.core == (catalog.Core{}) {
		return data, err
	}
	c.Core = d.core
	return catalog.Encode(c)
}

// rebuild makes a new view and wakes those who wait for a change.
func (d *directory) rebuild() {
	v := &view{
		nodes: make(map[string]*peer), services: make(map[string]*pool), announced: make(map[string]*Announcements),
	}
	for _, p := range d.peers {
		if p.Node == d.node.name {
			continue // another process with our name: see conflict.go
		}
		if known := v.nodes[p.Node]; known == nil || p.newer(known) {
			v.nodes[p.Node] = p
		}
	}
	instances := make(map[string][]instance)
	for _, p := range v.nodes {
		for _, s := range p.services {
			instances[s.Name] = append(instances[s.Name], instance{
				Instance:  Instance{Node: p.Node, Path: s.Path},
				key:       instanceKey{p.Incarnation, s.UID},
				recipient: remote{node: d.node, name: p.Node, path: s.Path, uid: s.UID},
			})
		}
	}
	for _, s := range d.own {
		instances[s.Name] = append(instances[s.Name], instance{
			Instance:  Instance{Node: d.node.name, Path: s.Path},
			key:       instanceKey{d.node.incarnation, s.UID},
			recipient: s.address.Recipient(),
		})
	}
	for name, found := range instances {
		// All nodes and all views agree on the order.
		slices.SortFunc(found, func(a, b instance) int { return strings.Compare(a.Node, b.Node) })
		p := newPool(found)
		if before := d.view().services[name]; before != nil {
			p.budget = before.budget
		} else {
			p.budget = newBudget()
		}
		v.services[name] = p
	}
	v.collectAnnouncements(d.view())
	d.current.Store(v)
	d.node.avoided.keep(v)
	close(d.changed)
	d.changed = make(chan struct{})
}

// change returns a channel that closes at the next change.
func (d *directory) change() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *directory) view() *view { return d.current.Load() }

// addresses returns where all known processes are.
func (d *directory) addresses() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := make(map[string]bool, len(d.peers))
	for _, p := range d.peers {
		known[p.Address] = true
	}
	return known
}
