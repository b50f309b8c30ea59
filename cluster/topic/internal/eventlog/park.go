package eventlog

import "sort"

// An event that waits, for a retry or for the one before it with its key, is parked when
// its room is needed: the group keeps its offset and its key, and reads the rest again
// when its turn has come. So what waits holds nobody else up.

// maxParkedBytes is what a group keeps of parked events at most, before it loads no more.
const maxParkedBytes = 16 << 20

// parkedSize is what a parked entry takes, roughly.
func (e *entry) parkedSize() int { return len(e.event.Key) + 256 }

// line is the events of one key: they are delivered one after the other.
type line struct {
	head   *entry   // that is delivered, or will be next
	others []*entry // that are loaded, and wait for it
}

// become changes the state of e, and what the group counts of it.
func (g *group) become(e *entry, s entryState) {
	g.count(e, -1)
	e.state = s
	g.count(e, 1)
}

// count adds e to what the group has loaded, or takes it off.
func (g *group) count(e *entry, sign int) {
	idle := e.state == waiting || e.state == delayed
	switch {
	case e.state == gone:
		return
	case e.parked:
		g.parkedBytes += sign * e.parkedSize()
	default:
		g.bytes += sign * e.size()
		if idle {
			g.idle += sign
		}
	}
	g.live += sign
	if line := g.keys[e.event.Key]; idle && line != nil && line.head.state == delayed {
		g.retrying += sign
		if e == line.head {
			g.retrying += sign * len(line.others)
		}
	} else if e.state == delayed {
		g.retrying += sign
	}
}

// isRoomy reports whether whole events can be added to those that are here.
func (g *group) isRoomy() bool { return g.bytes < maxLoadedBytes }

// canLoad reports whether events can be loaded, perhaps after others have been parked.
// What waits for a retry does not count, but for the room that it takes.
func (g *group) canLoad() bool {
	return g.live-g.retrying < maxLoaded && (g.isRoomy() || g.idle > 0 && g.parkedBytes < maxParkedBytes)
}

// makeRoom parks what waits, if there is no room else.
func (g *group) makeRoom() {
	if g.isRoomy() || g.idle == 0 {
		return
	}
	for _, e := range g.loaded {
		if !e.parked && (e.state == waiting || e.state == delayed) {
			g.count(e, -1)
			e.parked, e.event = true, Event{Offset: e.event.Offset, Key: e.event.Key}
			g.count(e, 1)
		}
	}
}

// enqueue puts e, whose turn has come, where it is delivered from.
func (g *group) enqueue(e *entry) {
	g.become(e, ready)
	g.queue(e).add(e)
}

// queue is where e is while it is ready.
func (g *group) queue(e *entry) *entryHeap {
	if e.parked {
		return g.absent
	}
	return g.ready
}

// wantsBack reports whether parked events are to be read again, whose turn has come.
func (g *group) wantsBack() bool {
	return g.ready.Len() == 0 && g.absent.Len() > 0 && (g.isRoomy() || g.idle > 0) && g.canRead()
}

// bringBack reads parked events again, from the first whose turn has come on. It is called
// with the lock, and gives it up while it reads.
func (g *group) bringBack() {
	first := g.absent.top()
	from := first.event.Offset
	events, err, ok := g.read(from)
	if !ok {
		return
	}
	g.makeRoom()
	for i := range events {
		e := g.find(events[i].Offset)
		if e != nil && e.parked && (e.state == ready || e.state == waiting) && (e == first || g.isRoomy()) {
			g.unpark(e, events[i])
		}
	}
	if first.parked && first.state == ready && err == nil {
		err = corrupt("event %d is missing", from)
	}
	if !first.parked {
		err = nil // there is something to go on with
	}
	g.hasRead(from, err)
}

// unpark gives e its event back.
func (g *group) unpark(e *entry, event Event) {
	if e.state == ready {
		g.absent.remove(e)
	}
	g.count(e, -1)
	e.parked, e.event = false, event
	g.count(e, 1)
	if e.state == ready {
		g.ready.add(e)
	}
}

// find returns the loaded entry with that offset, nil if there is none.
func (g *group) find(o Offset) *entry {
	i := sort.Search(len(g.loaded), func(i int) bool { return g.loaded[i].event.Offset >= o })
	if i < len(g.loaded) && g.loaded[i].event.Offset == o && g.loaded[i].state != gone {
		return g.loaded[i]
	}
	return nil
}
