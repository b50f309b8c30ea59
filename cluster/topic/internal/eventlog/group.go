package eventlog

import (
	"slices"
	"sort"
	"time"
)

// What a group has loaded at most, beside what is parked.
const (
	maxLoaded      = 10_000
	maxLoadedBytes = 4 << 20
)

// group is where its consumers are in a log. Its fields are under the partition's lock.
type group struct {
	log       *Log
	name      string
	consumers []*Consumer
	turn      int   // whose it is among those with equal room
	broken    error // its record is malformed; Seek mends that

	cursor      Offset // of the next event to be loaded
	past        []run  // what is known of the events from cursor on
	loaded      []*entry
	live        int // of loaded, those that the group is not done with
	retrying    int // of those, the ones that wait for a retry, their own or of the one before
	bytes       int // of those that are not parked
	idle        int // of the latter, the ones that may be
	parkedBytes int // of those that are parked
	ready       *entryHeap
	absent      *entryHeap       // ready, and parked
	timed       *entryHeap       // delivered and delayed
	keys        map[string]*line // that are occupied
	moved       int              // how often all of this was replaced
	counters    counters

	durable  Offset // the position in the store
	reserved Offset // events before may be delivered
	dirty    bool   // there is progress to be written
	urgent   bool   // at once, so that deliveries can go on
	touched  bool   // something was delivered
	feeding  bool   // feed runs
	deleting bool
	failure  error     // of the last attempt to read
	retry    time.Time // not before
}

func newGroup(l *Log, name string) *group {
	return &group{log: l, name: name, ready: byOffset(), absent: byOffset(), timed: byTime(), keys: map[string]*line{}}
}

// restore makes the group go on from what is known of it.
func (g *group) restore(done progress) {
	g.forget()
	g.cursor, g.past, g.counters = done.position, done.runs, done.counters
	g.durable, g.reserved = done.position, done.position
	g.skipRemoved()
}

// forget gives up all that is loaded, and all deliveries.
func (g *group) forget() {
	for _, e := range g.loaded {
		e.state = gone
	}
	for _, c := range g.consumers {
		clear(c.delivered)
	}
	g.loaded, g.live, g.retrying, g.bytes, g.idle, g.parkedBytes = nil, 0, 0, 0, 0, 0
	g.ready, g.absent, g.timed, g.keys = byOffset(), byOffset(), byTime(), map[string]*line{}
	g.moved++
	g.failure, g.retry = nil, time.Time{}
}

// skipRemoved goes on where the log begins.
func (g *group) skipRemoved() {
	first := g.log.extent().first
	for g.cursor < first {
		r := g.pastRun(uint64(first - g.cursor))
		if r.state != stateDone {
			g.counters.missed += r.length
			g.dirty = true
		}
		g.cursor += Offset(r.length)
	}
}

// skipLoaded gives up what has been removed from the log, but for what is delivered, unless
// all is said, and what is about to become a dead letter.
func (g *group) skipLoaded(all bool) {
	if g.broken != nil {
		return
	}
	first := g.log.extent().first
	n := sort.Search(len(g.loaded), func(i int) bool { return g.loaded[i].event.Offset >= first })
	for _, e := range slices.Clone(g.loaded[:n]) {
		switch e.state {
		case gone, dying, buried:
			continue
		case delivered:
			if !all {
				continue
			}
		}
		g.end(e)
		g.counters.missed++
		g.dirty = true
	}
	g.skipRemoved()
	if g.dirty {
		g.log.p.flushSoon()
	}
}

// pastRun takes up to most events from what is known of those at cursor.
func (g *group) pastRun(most uint64) run {
	for len(g.past) > 0 && g.past[0].length == 0 {
		g.past = g.past[1:]
	}
	if len(g.past) == 0 {
		return run{length: most, state: stateFresh}
	}
	r := g.past[0]
	r.length = min(most, r.length)
	g.past[0].length -= r.length
	return r
}

// load takes over an event, the one at cursor.
func (g *group) load(event Event) {
	r := g.pastRun(1)
	g.cursor++
	if r.state == stateDone {
		return
	}
	e := &entry{event: event, group: g, state: waiting, attempts: int(r.state - stateFresh), failed: int(r.failed)}
	g.loaded = append(g.loaded, e)
	if key := event.Key; key != "" {
		if line := g.keys[key]; line != nil {
			line.others = append(line.others, e)
			g.count(e, 1)
			return
		}
		g.keys[key] = &line{head: e}
	}
	g.count(e, 1)
	g.enqueue(e)
}

// end is done with e, wherever it is, and lets the next event with its key go on.
func (g *group) end(e *entry) {
	switch e.state {
	case gone:
		return
	case ready:
		g.queue(e).remove(e)
	case delivered:
		delete(e.consumer.delivered, e.tag)
		g.timed.remove(e)
	case delayed:
		g.timed.remove(e)
	}
	key, queued := e.event.Key, e.state == waiting
	g.become(e, gone)
	e.event = Event{Offset: e.event.Offset}
	g.compact()
	if key == "" {
		return
	}
	line := g.keys[key]
	switch {
	case queued && line.others[0] == e:
		line.others = line.others[1:]
	case queued:
		i := slices.Index(line.others, e)
		line.others = slices.Delete(line.others, i, i+1)
	case len(line.others) == 0:
		delete(g.keys, key)
	default:
		line.head, line.others = line.others[0], line.others[1:]
		g.enqueue(line.head)
	}
}

// compact drops what the group is done with.
func (g *group) compact() {
	for len(g.loaded) > 0 && g.loaded[0].state == gone {
		g.loaded[0] = nil
		g.loaded = g.loaded[1:]
	}
	if len(g.loaded) < 64 || g.live > len(g.loaded)/2 {
		return
	}
	kept := make([]*entry, 0, g.live+64)
	for _, e := range g.loaded {
		if e.state != gone {
			kept = append(kept, e)
		}
	}
	g.loaded = kept
}

// position is that of the first event that the group is not done with.
func (g *group) position() Offset {
	if len(g.loaded) > 0 {
		return g.loaded[0].event.Offset
	}
	return g.cursor
}

// progress is what the store has to know. If clean, nobody will get anything any more.
func (g *group) progress(reserve Offset, clean bool) progress {
	p := progress{position: g.position(), reserved: max(reserve, g.position()), clean: clean, counters: g.counters}
	at := p.position
	for _, e := range g.loaded {
		if e.state == gone || e.state == buried {
			continue
		}
		attempts, failed := e.attempts, e.failed
		if e.state == delivered && !clean {
			attempts-- // it is counted when it is known how it ended, or after a crash
			if e.begun {
				failed++ // by a crash
			}
		}
		p.runs = appendRun(p.runs, run{length: uint64(e.event.Offset - at)})
		p.runs = appendRun(p.runs, run{1, uint64(stateFresh + attempts), uint64(failed)})
		at = e.event.Offset + 1
	}
	p.runs = appendRun(p.runs, run{length: uint64(g.cursor - at)})
	for _, r := range g.past {
		p.runs = appendRun(p.runs, r)
	}
	if n := len(p.runs); n > 0 && p.runs[n-1].state == stateFresh && p.runs[n-1].failed == 0 {
		p.runs = p.runs[:n-1]
	}
	if len(p.runs) > 0 && p.runs[0].state == stateDone {
		p.position += Offset(p.runs[0].length)
		p.reserved = max(p.reserved, p.position)
		p.runs = p.runs[1:]
	}
	return p
}

// toReserve is how far the group may deliver after the next transaction: as far as the
// log goes, if the group is nearly there, and else enough to go on until the one after.
func (g *group) toReserve(next Offset) Offset {
	if len(g.consumers) == 0 || g.log.p.closing {
		return g.reserved
	}
	ahead := Offset(1024)
	for _, c := range g.consumers {
		ahead += 2 * Offset(c.config.Window)
	}
	from := g.cursor
	if e := g.ready.top(); e != nil {
		from = e.event.Offset
	}
	most := min(next, from+ahead)
	if most == next || g.urgent || most >= g.reserved+ahead/2 {
		return max(most, g.reserved)
	}
	return g.reserved
}

// unload keeps what is known of the loaded events, and drops them.
func (g *group) unload() {
	for _, e := range g.loaded {
		if e.state == dying || e.state == buried {
			return // they will be done with soon
		}
	}
	reserved, durable, dirty, counters := g.reserved, g.durable, g.dirty, g.counters
	g.restore(g.progress(g.reserved, true))
	g.reserved, g.durable, g.dirty = max(reserved, g.cursor), durable, dirty
	g.counters = counters
}

// ending is how a delivery ends that was not acknowledged.
type ending int

const (
	wasReleased ending = iota // nobody handles it
	wasLost                   // nobody knows whether it was handled
	wasRefused                // its handler has failed
	wasRejected               // and so would any other
)

// fail is called when a delivery has ended without an acknowledgement. If it was the
// last one, the event becomes a dead letter, or is done with if it is one already.
func (g *group) fail(e *entry, how ending, cause string, delay time.Duration) {
	p := g.log.p
	g.dirty = true
	p.flushSoon()
	if how == wasRejected && g.log == p.DeadLetters {
		g.end(e)
		return
	}
	if how == wasRefused || how == wasLost && e.begun {
		e.failed++
	}
	last := how == wasRejected || how != wasReleased && e.consumer.givesUp(e)
	if !last && e.event.Offset < g.log.extent().first {
		g.counters.missed++
		g.end(e)
		return
	}
	delete(e.consumer.delivered, e.tag)
	g.timed.remove(e)
	e.consumer, e.begun = nil, false
	switch {
	case last:
		g.giveUp(e, cause)
	case delay > 0:
		g.become(e, delayed)
		e.due = time.Now().Add(delay)
		g.timed.add(e)
		p.at(e.due)
	default:
		g.enqueue(e)
	}
}

// giveUp has e made a dead letter.
func (g *group) giveUp(e *entry, cause string) {
	g.become(e, dying)
	e.cause = cause[:min(len(cause), MaxErrorSize)]
	g.log.p.dying = append(g.log.p.dying, e)
	g.log.p.kick()
}

// tick ends deliveries whose deadline has passed, and delays.
func (g *group) tick(now time.Time) {
	for e := g.timed.top(); e != nil && !now.Before(e.due); e = g.timed.top() {
		if e.state == delayed {
			g.timed.remove(e)
			g.enqueue(e)
			continue
		}
		e.consumer.late = true
		g.fail(e, wasLost, "it was not acknowledged in time", 0)
	}
	if e := g.timed.top(); e != nil {
		g.log.p.at(e.due)
	}
	if !g.retry.IsZero() && now.Before(g.retry) {
		g.log.p.at(g.retry)
	}
	g.wake()
}
