package gossip

import "sync"

// Event is what a member's view of the others tells: [Joined],
// [CatalogChanged], [Left] or [Failed]. For one member Joined comes first, then
// any number of CatalogChanged, then Left or Failed. After Failed, the same
// member may come back with Joined; after Left it never does.
type Event interface{ event() }

// Joined says that a member is there. Its catalog follows as a
// [CatalogChanged], once it is known.
type Joined struct{ Member Member }

// CatalogChanged carries the newest catalog of a member. Versions may be
// skipped.
type CatalogChanged struct {
	Member  Member
	Catalog []byte // shared: must not be modified
	Version uint64 // only grows for one member
}

// Left says that a member said goodbye.
type Left struct{ Member Member }

// Failed says that a member stopped answering: it crashed, froze, or is cut
// off.
type Failed struct{ Member Member }

func (Joined) event()         {}
func (CatalogChanged) event() {}
func (Left) event()           {}
func (Failed) event()         {}

// eventQueue hands events to one goroutine without ever blocking who adds
// them. A catalog that waits is replaced by a newer one of the same member, so
// a slow receiver costs little memory.
type eventQueue struct {
	mu       sync.Mutex
	pending  []*queuedEvent
	catalogs map[string]*queuedEvent // waiting CatalogChanged by name of the member

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

type queuedEvent struct {
	name    string
	event   Event
	barrier chan struct{} // not nil for no event, but somebody who waits for those before
}

func newEventQueue(handle func(Event)) *eventQueue {
	q := &eventQueue{
		catalogs: make(map[string]*queuedEvent),
		wake:     make(chan struct{}, 1),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	go q.run(handle)
	return q
}

// add queues an event about the named member.
func (q *eventQueue) add(name string, e Event) {
	q.mu.Lock()
	_, isCatalog := e.(CatalogChanged)
	waiting := q.catalogs[name]
	if isCatalog && waiting != nil {
		waiting.event = e
		q.mu.Unlock()
		return
	}
	item := &queuedEvent{name: name, event: e}
	q.pending = append(q.pending, item)
	if isCatalog {
		q.catalogs[name] = item
	} else {
		delete(q.catalogs, name) // a later catalog belongs after this event
	}
	q.mu.Unlock()
	q.rouse()
}

// barrier returns a channel that is closed when the events added before have been
// handled. It stays open if the queue is closed first.
func (q *eventQueue) barrier() <-chan struct{} {
	passed := make(chan struct{})
	q.mu.Lock()
	q.pending = append(q.pending, &queuedEvent{barrier: passed})
	q.mu.Unlock()
	q.rouse()
	return passed
}

func (q *eventQueue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) next() (*queuedEvent, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending) == 0 {
		q.pending = nil
		return nil, false
	}
	item := q.pending[0]
	q.pending[0] = nil
	q.pending = q.pending[1:]
	if q.catalogs[item.name] == item {
		delete(q.catalogs, item.name)
	}
	return item, true
}

func (q *eventQueue) run(handle func(Event)) {
	defer close(q.done)
	for {
		select {
		case <-q.stop:
			return
		case <-q.wake:
		}
		for {
			select {
			case <-q.stop:
				return
			default:
			}
			item, ok := q.next()
			if !ok {
				break
			}
			if item.barrier != nil {
				close(item.barrier)
			} else {
				handle(item.event)
			}
		}
	}
}

// close drops what waits and returns after the last event was handled. It must
// be called once.
func (q *eventQueue) close() {
	close(q.stop)
	<-q.done
}
