package gossip

import "time"

// absentee is a member that was given up before memberlist did.
type absentee struct {
	member  Member
	since   time.Time
	repeats int // of the report about it, still to come; the detector's
	rounds  int // of waiting for it; the detector's
}

// giveUp records that a member can be reached by nobody. memberlist finds out by and
// by; until then the member may return.
func (v *view) giveUp(m Member, repeats int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p := v.peers[m.name()]; p != nil && !v.closed {
		v.desert(p, repeats)
	}
}

// desert needs the lock.
func (v *view) desert(p *peer, repeats int) {
	v.failed(p)
	v.miss(p.member, repeats)
	if p.catalog.version != 0 {
		v.early.put(p.member.name(), p.catalog) // it will not be sent again should the member return
	}
}

// miss needs the lock.
func (v *view) miss(m Member, repeats int) {
	v.absent[m.name()] = &absentee{member: m, since: time.Now(), repeats: repeats}
}

// successor reports whether a process that started later has the member's address. It
// needs the lock.
func (v *view) successor(m Member) bool {
	for _, p := range v.peers {
		if p.member.Address == m.Address && p.member.Started.After(m.Started) {
			return true
		}
	}
	return false
}

// returned records that a member that was given up is there.
func (v *view) returned(m Member) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.absent[m.name()] != nil {
		v.appear(m)
	}
}

// absentees returns the members that were given up and may return.
func (v *view) absentees() []*absentee {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []*absentee
	for _, a := range v.absent {
		all = append(all, a)
	}
	return all
}

// replaced reports whether another member has the address of one that was given up.
func (v *view) replaced(m Member) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.peers {
		if p.member.Address == m.Address {
			return true
		}
	}
	return false
}

// peer returns what is known of another member by its node and incarnation.
func (v *view) peer(m Member) (Member, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.peers[m.name()]
	if p == nil {
		return Member{}, false
	}
	return p.member, true
}

// size returns how many members there are, with this one.
func (v *view) size() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.peers) + 1
}
