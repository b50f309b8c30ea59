package eventlog

import (
	"errors"
	"sort"
	"time"
)

// readRetry is the pause after a failed attempt to read events.
const readRetry = time.Second

// wake lets the group deliver what it can. It is called with the lock.
func (g *group) wake() {
	if !g.feeding && len(g.consumers) > 0 && (g.ready.Len() > 0 || g.wantsBack() || g.wantsMore()) {
		g.feeding = true
		g.log.p.start(g.feed)
	}
}

// feed delivers until nothing can be delivered, for want of events or of room.
func (g *group) feed() {
	p := g.log.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.err == nil && !p.closing {
		switch to := g.dispatch(); {
		case len(to) > 0:
			p.mu.Unlock()
			for _, b := range to {
				b.consumer.config.Deliver(b.consumer, b.deliveries)
			}
			p.mu.Lock()
		case g.wantsBack():
			g.bringBack()
		case g.wantsMore():
			g.loadMore()
		default:
			g.feeding = false
			return
		}
	}
	g.feeding = false
}

// batch is what a consumer gets at a time.
type batch struct {
	consumer   *Consumer
	deliveries []Delivery
}

// dispatch chooses who gets what is ready.
func (g *group) dispatch() []batch {
	p := g.log.p
	now := time.Now()
	sent := false
	for e := g.ready.top(); e != nil; e = g.ready.top() {
		c := g.choose()
		if c == nil {
			break
		}
		if e.event.Offset >= g.reserved {
			g.urgent = true
			p.kick()
			break
		}
		g.ready.remove(e)
		if c.givesUp(e) {
			g.giveUp(e, "those who handled it were lost")
			continue
		}
		g.turn++
		p.tag++
		g.become(e, delivered)
		e.consumer, e.tag, e.since, e.due = c, p.tag, now, now.Add(c.config.AckDeadline)
		e.attempts++
		if e.attempts > 1 {
			g.counters.redelivered++
		}
		g.timed.add(e)
		c.delivered[e.tag] = e
		c.batch = append(c.batch, Delivery{Event: e.event, Tag: e.tag, Attempt: e.attempts, Suspect: e.isSuspect()})
		sent = true
	}
	if !sent {
		return nil
	}
	g.touched = true
	p.at(g.timed.top().due)
	var to []batch
	for _, c := range g.consumers {
		if len(c.batch) > 0 {
			to = append(to, batch{c, c.batch})
			c.batch = nil
		}
	}
	return to
}

// choose returns the consumer that has the most room, nil if none has any, or nothing is
// to be delivered any more. One that was
// late counts only where all were.
func (g *group) choose() *Consumer {
	if g.log.p.settled != nil {
		return nil
	}
	var best *Consumer
	most := 0
	late := g.allLate()
	for i := range g.consumers {
		c := g.consumers[(g.turn+i)%len(g.consumers)]
		if room := c.config.Window - len(c.delivered); room > most && (late || !c.late) {
			best, most = c, room
		}
	}
	return best
}

func (g *group) allLate() bool {
	for _, c := range g.consumers {
		if !c.late {
			return false
		}
	}
	return true
}

// wantsMore reports whether events are to be loaded.
func (g *group) wantsMore() bool {
	return g.ready.Len() == 0 && g.cursor < g.log.extent().next && g.canLoad() && g.canRead()
}

// canRead reports whether there is somebody to read for, and reading has not just failed.
func (g *group) canRead() bool { return !time.Now().Before(g.retry) && g.choose() != nil }

// loadMore loads the events that come next. It is called with the lock, and gives it up
// while it reads.
func (g *group) loadMore() {
	g.skipRemoved()
	from, end := g.cursor, g.log.extent().next
	if from >= end {
		return
	}
	events, err, ok := g.read(from)
	if !ok {
		return
	}
	g.makeRoom()
	g.skipRemoved()
	for i := range events {
		if events[i].Offset < g.cursor {
			continue
		}
		if events[i].Offset > g.cursor {
			break
		}
		g.load(events[i])
	}
	if err == nil && g.cursor == from && from < end {
		err = corrupt("event %d is missing", from)
	}
	if g.cursor > from {
		err = nil // there was something to go on with
	}
	g.hasRead(from, err)
}

// read returns some events from an offset on; false if the group is elsewhere meanwhile.
// It is called with the lock, and gives it up while it reads.
func (g *group) read(from Offset) ([]Event, error, bool) {
	p, l := g.log.p, g.log
	moved := g.moved
	var data []byte
	if i := sort.Search(len(l.tail), func(i int) bool { return l.tail[i].end() > from }); i < len(l.tail) && l.tail[i].first <= from {
		data = l.tail[i].data
	}
	p.mu.Unlock()
	var events []Event
	var err error
	if data != nil {
		events, err = decodeBlock(data)
	} else {
		events, err = l.read(p.ctx, from, readBlocks)
	}
	p.mu.Lock()
	return events, err, p.err == nil && moved == g.moved
}

// hasRead notes whether events could be read.
func (g *group) hasRead(from Offset, err error) {
	if err == nil {
		g.failure, g.retry = nil, time.Time{}
		return
	}
	p := g.log.p
	if g.failure == nil || errors.Is(err, ErrCorrupt) != errors.Is(g.failure, ErrCorrupt) {
		p.config.Logger.Error("eventlog: a group waits for events that cannot be read", "partition", p.config.Name,
			"log", g.log.name, "group", g.name, "offset", from, "error", err)
	}
	g.failure, g.retry = err, time.Now().Add(readRetry)
	p.at(g.retry)
}
