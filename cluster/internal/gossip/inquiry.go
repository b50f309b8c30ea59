package gossip

import (
	"maps"
	"time"
)

// inquiry is what a detector knows against a member.
type inquiry struct {
	member   Member
	attempts int                  // to connect that were not answered, of the latest examination
	found    time.Time            // when it last proved unreachable, if it did
	reports  map[string]time.Time // when other members said so, by their names
}

// memory is how long what is known against a member counts: watchers are at most an
// interval apart.
func (d *detector) memory() time.Duration { return d.window() + 3*d.interval }

// of returns the inquiry about a member. It needs the lock.
func (d *detector) of(m Member) *inquiry {
	q := d.inquiries[m.name()]
	if q == nil {
		q = &inquiry{member: m, reports: make(map[string]time.Time)}
		d.inquiries[m.name()] = q
	}
	return q
}

// inquire begins an examination.
func (d *detector) inquire(m Member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of(m).attempts = 0
}

// attempted notes an attempt of an examination that was not answered, and returns how
// many there were.
func (d *detector) attempted(m Member) int {
	defer d.judge()
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.of(m)
	q.attempts++
	return q.attempts
}

// acquit drops what is known against a member.
func (d *detector) acquit(m Member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inquiries, m.name())
}

// testify notes that a member proved unreachable, and tells the others if this one is
// a witness.
func (d *detector) testify(m Member) {
	d.mu.Lock()
	d.of(m).found = time.Now()
	d.mu.Unlock()
	if d.view.within(witnesses, m) {
		d.report(m, true)
	}
	d.judge()
}

// report tells all members of one that does not answer.
func (d *detector) report(about Member, found bool) {
	message := encodeReport(report{about: about, by: d.view.self, found: found})
	for _, to := range d.view.members() {
		if to != d.view.self && to != about {
			d.tell(to, message)
		}
	}
}

// hear takes the report of another member, and examines who it is about.
func (d *detector) hear(r report) {
	about, known := d.view.peer(r.about)
	if _, member := d.view.peer(r.by); !known || !member || about == r.by {
		return
	}
	if r.found {
		d.mu.Lock()
		d.of(about).reports[r.by.name()] = time.Now()
		d.mu.Unlock()
	}
	d.check(about, func(m Member) { d.examine(m, nil, func() {}) })
	d.judge()
}

// judge gives up the members that enough is known against.
func (d *detector) judge() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, q := range d.inquiries {
		if !d.proven(q) {
			continue
		}
		again := 0
		if d.fresh(q.found) && d.view.within(witnesses, q.member) {
			again = repeats
		}
		d.view.giveUp(q.member, again)
		delete(d.inquiries, name)
	}
}

// proven reports whether a member is to be given up. It needs the lock.
func (d *detector) proven(q *inquiry) bool {
	own := d.fresh(q.found)
	if !own && q.attempts < doubtful {
		return false // it may well be reached
	}
	reports := 0
	if own {
		reports++
	}
	for _, at := range q.reports {
		if d.fresh(at) {
			reports++
		}
	}
	// Who cannot be reached does not report. That leaves this member alone, at last.
	could := d.view.size() - 1
	for _, other := range d.inquiries {
		if other != q && d.fresh(other.found) {
			could--
		}
	}
	return reports >= min(quorum, max(could, 1))
}

func (d *detector) fresh(at time.Time) bool { return time.Since(at) < d.memory() }

// forget drops inquiries about which nothing new was heard.
func (d *detector) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, q := range d.inquiries {
		maps.DeleteFunc(q.reports, func(_ string, at time.Time) bool { return !d.fresh(at) })
		if len(q.reports) == 0 && !d.fresh(q.found) && !d.busy[name] {
			delete(d.inquiries, name)
		}
	}
}
