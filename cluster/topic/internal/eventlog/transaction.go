package eventlog

import (
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// A transaction takes calls until they have gatherSize bytes, unless a single one has
// more, and progress of groups until that has progressSize.
const (
	gatherSize   = 128 << 10
	progressSize = 64 << 10
)

// transaction is what one commit does. It is made from the state of the partition,
// which becomes after when it has been applied; the rest is for then, too.
type transaction struct {
	persistence.Transaction
	after      head
	size       int
	urgent     bool // it must be committed whatever is in it
	calls      []*call
	events     int // of the calls
	operations []*operation
	buried     []*entry
	fresh      [2][][]byte // encoded events for each log
	blockSize  int
	blocks     [2][]tailBlock
	trimmed    [2]int // how many of the oldest blocks go
	identities identities
	named      map[identity]Offset
	forgotten  int
	progress   map[*group]*progress // nil deletes one
}

// build makes a transaction of what waits, or nil if that is nothing. It is called with
// the lock.
func (p *Partition) build() *transaction {
	now := time.Now()
	t := &transaction{after: p.head, blockSize: blockSize, progress: map[*group]*progress{}}
	t.after.number++
	t.after.time = max(t.after.time, now.UnixNano())
	t.urgent = !p.flushAt.IsZero() && !now.Before(p.flushAt)
	p.takeOperations(t)
	p.takeCalls(t)
	p.takeDying(t)
	for _, l := range p.logs() {
		l.putBlocks(t)
		l.retain(t)
	}
	p.takeIdentities(t)
	p.takeProgress(t)
	if !t.urgent && len(t.Then) == 0 && t.after.logs == p.head.logs {
		return nil
	}
	t.If = []persistence.Condition{{Key: headKey, Revision: p.revision}}
	t.put(headKey, t.after.encode())
	return t
}

func (t *transaction) put(key string, value []byte) {
	t.Then = append(t.Then, persistence.Change{Key: key, Value: value})
}

func (t *transaction) delete(key string) {
	t.Then = append(t.Then, persistence.Change{Key: key, Delete: true})
}

func (p *Partition) takeOperations(t *transaction) {
	for _, o := range p.operations {
		if err := o.take(t); err != nil {
			o.finish(err)
			continue
		}
		t.urgent = true
		t.operations = append(t.operations, o)
	}
	p.operations = nil
}

// takeCalls numbers the events of those who append. What is known has a number.
func (p *Partition) takeCalls(t *transaction) {
	l := p.Events
	t.identities.number = t.after.logs[eventLog].next
	for len(p.calls) > 0 {
		c := p.calls[0]
		if t.size > 0 && t.size+c.size > gatherSize {
			return
		}
		if c.size > gatherSize {
			t.blockSize = largeBlockSize
		}
		p.calls = p.calls[1:]
		p.queued -= c.size
		p.pace.waiting -= len(c.encoded)
		fresh := p.fresh(t, c)
		if len(fresh) > 0 {
			if err := l.admit(t, len(fresh), c.size); err != nil {
				c.finish(err)
				continue
			}
		}
		for _, i := range fresh {
			offset := t.add(eventLog, c.encoded[i])
			if id := c.identities[i]; id != (identity{}) {
				if t.named == nil {
					t.named = map[identity]Offset{}
				}
				t.named[id] = offset
				t.identities.all = append(t.identities.all, identified{id, offset})
			}
			c.offsets[i] = offset
		}
		// What is known may be so by this transaction.
		for i, id := range c.identities {
			if c.offsets[i] == 0 {
				c.offsets[i] = max(p.known.byIdentity[id], t.named[id])
			}
		}
		t.calls = append(t.calls, c)
		t.events += len(c.encoded)
		t.urgent = true
	}
	p.calls = nil
}

// fresh returns which events of c are not known yet, each ID once.
func (p *Partition) fresh(t *transaction, c *call) []int {
	var fresh []int
	var here map[identity]bool
	for i, id := range c.identities {
		if id != (identity{}) {
			_, stored := p.known.byIdentity[id]
			_, storing := t.named[id]
			if stored || storing || here[id] {
				continue
			}
			if here == nil && len(c.identities) > 1 {
				here = map[identity]bool{}
			}
			if here != nil {
				here[id] = true
			}
		}
		fresh = append(fresh, i)
	}
	return fresh
}

// add gives an encoded event its number.
func (t *transaction) add(log int, encoded []byte) Offset {
	x := &t.after.logs[log]
	t.fresh[log] = append(t.fresh[log], encoded)
	t.size += len(encoded)
	x.next++
	return x.next - 1
}

// takeDying makes dead letters of what has been given up.
func (p *Partition) takeDying(t *transaction) {
	var later []*entry
	for i, e := range p.dying {
		_, replaced := t.progress[e.group]
		switch {
		case e.state != dying:
			continue // its group is somewhere else now
		case replaced, t.size >= gatherSize:
			later = append(later, p.dying[i])
			continue
		}
		event := e.event
		event.Dead = &DeadLetter{Group: e.group.name, Offset: event.Offset, Attempts: e.attempts, Error: e.cause}
		encoded := appendEvent(nil, &event)
		if len(encoded) > gatherSize {
			t.blockSize = largeBlockSize
		}
		t.add(deadLog, encoded)
		e.group.become(e, buried)
		e.group.counters.dead++
		t.buried = append(t.buried, e)
	}
	p.dying = later
}

// putBlocks makes records of the events that t adds to l.
func (l *Log) putBlocks(t *transaction) {
	fresh := t.fresh[l.index]
	x := &t.after.logs[l.index]
	first := x.next - Offset(len(fresh))
	for len(fresh) > 0 {
		n, size := 0, 0
		for n < len(fresh) && (n == 0 || size+len(fresh[n]) <= t.blockSize) {
			size += len(fresh[n])
			n++
		}
		data := encodeBlock(first, t.after.time, fresh[:n])
		b := block{first: first, count: n, size: len(data), time: t.after.time}
		t.put(l.blockKeys+b.key(), data)
		t.blocks[l.index] = append(t.blocks[l.index], tailBlock{b, data})
		x.bytes += uint64(b.size)
		first += Offset(n)
		fresh = fresh[n:]
	}
}

// takeIdentities writes those of the new events, and deletes those that are too old.
func (p *Partition) takeIdentities(t *transaction) {
	if len(t.identities.all) > 0 {
		t.identities.time = t.after.time
		t.put(t.identities.key(), t.identities.encode())
	}
	if !t.urgent {
		return
	}
	t.forgotten = p.known.old(t.after.time, p.config.DuplicateAge, p.config.DuplicateCount)
	for _, s := range p.known.records[:t.forgotten] {
		t.delete(s.key())
	}
}

// takeProgress writes how far the groups are, where something has changed.
func (p *Partition) takeProgress(t *transaction) {
	must := map[*group]bool{}
	for _, e := range t.buried {
		must[e.group] = true
	}
	for _, o := range t.operations {
		must[o.progress] = true // there is no group nil
	}
	for _, l := range p.logs() {
		for _, g := range l.groups {
			t.urgent = t.urgent || g.urgent
		}
	}
	if len(t.Then) == 0 && !t.urgent {
		return
	}
	for g, done := range t.progress { // by operations
		if done == nil {
			t.delete(g.key())
		} else {
			t.put(g.key(), done.encode())
		}
	}
	size := 0
	for _, l := range p.logs() {
		next := t.after.logs[l.index].next
		for _, g := range l.groups {
			if _, replaced := t.progress[g]; replaced || g.broken != nil {
				continue
			}
			reserve := g.toReserve(next)
			changed := g.dirty || g.urgent || reserve != g.reserved || p.closing && g.touched
			if !must[g] && (!changed || size > progressSize) {
				continue
			}
			done := g.progress(reserve, p.closing)
			data := done.encode()
			size += len(data)
			t.put(g.key(), data)
			t.progress[g] = &done
			g.dirty, g.urgent = false, false
		}
	}
	if size <= progressSize {
		p.flushAt = time.Time{}
	}
}

func (g *group) key() string { return g.log.groupKeys + g.name }
