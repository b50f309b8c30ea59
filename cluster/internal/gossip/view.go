package gossip

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	maxEarly    = 32  // catalogs kept of members not known yet
	maxDeparted = 128 // members remembered for having left
)

// view is what this member knows of the cluster. All methods may be called
// concurrently. memberlist calls some of them with its lock held, so none may
// call memberlist.
type view struct {
	self         Member
	verdictDelay time.Duration
	events       *eventQueue
	out          *disseminator

	mu       sync.Mutex
	closed   bool
	own      catalog
	peers    map[string]*peer
	absent   map[string]*absentee
	order    []Member       // see ring; nil when the members have changed
	early    *fifo[catalog] // of members not heard of yet, or given up
	departed *fifo[catalog] // farewells
	lost     *fifo[lostNode]
}

// peer is another member that is not known to be gone.
type peer struct {
	member  Member
	catalog catalog
	verdict *time.Timer // runs when memberlist gave the member up
}

func newView(self Member, verdictDelay time.Duration, events *eventQueue, out *disseminator) *view {
	return &view{
		self:         self,
		verdictDelay: verdictDelay,
		events:       events,
		out:          out,
		own:          catalog{node: self.Node, incarnation: self.Incarnation},
		peers:        make(map[string]*peer),
		absent:       make(map[string]*absentee),
		early:        newFIFO[catalog](maxEarly),
		departed:     newFIFO[catalog](maxDeparted),
		lost:         newFIFO[lostNode](maxLost),
	}
}

// close ends all changes of the view; no event is added after it.
func (v *view) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for _, p := range v.peers {
		p.acquit()
	}
}

// hasLeft reports whether the named member said goodbye.
func (v *view) hasLeft(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, left := v.departed.get(name)
	return left
}

// joined records that memberlist found a member alive.
func (v *view) joined(m Member) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.peers[m.name()] == nil && v.successor(m) {
		v.miss(m, 0) // memberlist is late, or the clocks are wrong: an answer will tell
		return
	}
	v.appear(m)
}

// appear needs the lock.
func (v *view) appear(m Member) {
	name := m.name()
	delete(v.absent, name)
	if _, left := v.departed.get(name); left || v.closed || m.name() == v.self.name() {
		return
	}
	if p := v.peers[name]; p != nil {
		p.acquit()
		return
	}
	p := &peer{member: m}
	v.peers[name] = p
	v.changed()
	for _, former := range v.peers { // an address has one process
		if former != p && former.member.Address == m.Address {
			v.desert(former, 0)
		}
	}
	v.lost.remove(m.Node)
	v.events.add(name, Joined{m})
	if c, ok := v.early.get(name); ok {
		v.early.remove(name)
		v.update(p, c)
	}
	v.publish(name)
}

// gone records that memberlist gave a member up. The verdict, whether it left
// or failed, waits for a farewell that may be under way.
func (v *view) gone(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.absent, name)
	p := v.peers[name]
	if p == nil || p.verdict != nil || v.closed {
		return
	}
	var verdict *time.Timer
	verdict = time.AfterFunc(v.verdictDelay, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if p.verdict == verdict && !v.closed {
			v.failed(p)
		}
	})
	p.verdict = verdict
}

// failed needs the lock.
func (v *view) failed(p *peer) {
	v.remove(p)
	v.events.add(p.member.name(), Failed{p.member})
	v.remember(p.member)
}

// remove needs the lock.
func (v *view) remove(p *peer) {
	p.acquit()
	delete(v.peers, p.member.name())
	v.changed()
}

// changed needs the lock.
func (v *view) changed() {
	v.order = nil
	v.out.queue.setMembers(len(v.peers) + 1)
}

// acquit stops a verdict that is pending.
func (p *peer) acquit() {
	if p.verdict != nil {
		p.verdict.Stop()
		p.verdict = nil
	}
}

// learn takes a catalog that was received; c is copied if it is kept. With
// relay, a catalog that was news is passed on.
func (v *view) learn(c catalog, relay bool) {
	name := c.name()
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, left := v.departed.get(name); left || v.closed || name == v.self.name() {
		return
	}
	p := v.peers[name]
	known, _ := v.early.get(name)
	if p != nil {
		known = p.catalog
	}
	if c.version <= known.version {
		return
	}
	c = c.detached()
	switch {
	case c.version == farewell:
		v.early.remove(name)
		delete(v.absent, name)
		v.departed.put(name, c)
		if p != nil {
			v.remove(p)
			v.events.add(name, Left{p.member})
		}
	case p != nil:
		v.update(p, c)
	default:
		v.early.put(name, c)
	}
	if relay {
		v.out.broadcast(c)
	}
}

// update needs the lock.
func (v *view) update(p *peer, c catalog) {
	p.catalog = c
	v.events.add(p.member.name(), CatalogChanged{p.member, c.data, c.version})
}

// setOwn publishes the next version of the own catalog.
func (v *view) setOwn(data []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.own.version == farewell {
		return ErrClosed
	}
	v.own = newCatalog(v.self.Node, v.self.Incarnation, v.own.version+1, data)
	v.publish(v.names()...)
	return nil
}

// leave publishes the farewell and returns it with those who should hear it.
func (v *view) leave() (catalog, []Member) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.own = newCatalog(v.self.Node, v.self.Incarnation, farewell, nil)
	v.publish()
	members := make([]Member, 0, len(v.peers))
	for _, p := range v.peers {
		members = append(members, p.member)
	}
	return v.own, members
}

// publish spreads the own catalog: to everybody when it is small, otherwise to
// those who are named. It needs the lock.
func (v *view) publish(names ...string) {
	switch {
	case v.own.version == 0:
	case v.out.fits(v.own):
		v.out.broadcast(v.own)
	default:
		v.out.send(names)
	}
}

// parcel returns the newest own catalog and the address of a member.
func (v *view) parcel(name string) (to Member, own catalog, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.peers[name]
	if p == nil {
		return Member{}, catalog{}, false
	}
	return p.member, v.own, true
}

// state returns all catalogs that are known, the own one first.
func (v *view) state() []catalog {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []catalog
	if v.own.version != 0 {
		all = append(all, v.own)
	}
	for _, c := range v.departed.values {
		all = append(all, c)
	}
	// The random order of a map lets all catalogs through in turn when not
	// all of them fit.
	for _, p := range v.peers {
		if p.catalog.version != 0 {
			all = append(all, p.catalog)
		}
	}
	return all
}

// names needs the lock.
func (v *view) names() []string {
	names := make([]string, 0, len(v.peers))
	for name := range v.peers {
		names = append(names, name)
	}
	return names
}

// members returns all members, this one included, sorted by node.
func (v *view) members() []Member {
	v.mu.Lock()
	members := []Member{v.self}
	for _, p := range v.peers {
		members = append(members, p.member)
	}
	v.mu.Unlock()
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return members
}
