package eventlog

import (
	"container/heap"
	"time"
)

// entry is an event that a group has loaded and is not done with.
type entry struct {
	event    Event
	group    *group
	state    entryState
	parked   bool // only the offset and the key of event are here
	attempts int  // deliveries, with the present one
	failed   int  // of those
	begun    bool // if delivered: it is surely being handled
	consumer *Consumer
	tag      uint64
	since    time.Time // when it was delivered
	due      time.Time // when it is delivered anew, if delayed or delivered
	cause    string    // why it was given up
	place    int       // in the heap that it is in
}

type entryState int

const (
	waiting   entryState = iota // for the event before with its key
	ready                       // to be delivered
	delivered                   // to consumer
	delayed                     // until due
	dying                       // to become a dead letter
	buried                      // in a transaction that makes it one
	gone                        // the group is done with it, or is elsewhere
)

// suspicious is how many deliveries may end without a trace before it is noted that the
// next one is handled.
const suspicious = 2

// isSuspect reports whether the present delivery is such a one.
func (e *entry) isSuspect() bool {
	return e.attempts-1-e.failed >= suspicious && e.group.log != e.group.log.p.DeadLetters
}

// size is what an entry takes, roughly.
func (e *entry) size() int { return len(e.event.Payload) + len(e.event.Key) + len(e.event.ID) + 256 }

// entryHeap has the entry that is first by before at its top.
type entryHeap struct {
	entries []*entry
	before  func(a, b *entry) bool
}

func byOffset() *entryHeap {
	return &entryHeap{before: func(a, b *entry) bool { return a.event.Offset < b.event.Offset }}
}

func byTime() *entryHeap {
	return &entryHeap{before: func(a, b *entry) bool { return a.due.Before(b.due) }}
}

func (h *entryHeap) add(e *entry)    { heap.Push(h, e) }
func (h *entryHeap) remove(e *entry) { heap.Remove(h, e.place) }

// top returns nil if there is none.
func (h *entryHeap) top() *entry {
	if len(h.entries) == 0 {
		return nil
	}
	return h.entries[0]
}

// Len implements [heap.Interface], as do the following.
func (h *entryHeap) Len() int { return len(h.entries) }

func (h *entryHeap) Less(i, j int) bool { return h.before(h.entries[i], h.entries[j]) }

func (h *entryHeap) Swap(i, j int) {
	h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
	h.entries[i].place, h.entries[j].place = i, j
}

// Push implements [heap.Interface].
func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(h.entries)
	h.entries = append(h.entries, e)
}

// Pop implements [heap.Interface].
func (h *entryHeap) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = nil
	h.entries = h.entries[:last]
	return e
}
