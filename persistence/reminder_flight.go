package persistence

import (
	"sync"
	"sync/atomic"
)

const (
	// maxPerActor is how many reminders one actor may be at work on. So an actor that
	// hangs keeps no more than those, and the others are not affected.
	maxPerActor = 8
	// maxQueued bounds the keys that wait in memory for an actor that is at work on
	// maxPerActor, and the reminders that wait for a worker.
	maxQueued = 8192
)

// flight is a reminder that is due and being sent.
type flight struct {
	key      string // in the order of time
	reminder reminder
	revision Revision // that was sent
}

// flights is what the process knows of the reminders that are due. It grows with the
// actors that have some, and not with the reminders.
type flights struct {
	workers *workers

	mu      sync.Mutex
	known   map[string]bool      // keys in flight, at rest or in line, and whether to look at them again
	busy    map[string]int       // how many are in flight, by path
	line    map[string][]*flight // for their turn, by path
	inLine  int
	cursor  string // up to here all keys have been looked at
	early   string // the lowest key that has to be looked at again; empty for none
	dropped string // the lowest key for which there was no room in line; empty for none
}

func newFlights(w *workers) *flights {
	return &flights{workers: w, known: make(map[string]bool), busy: make(map[string]int), line: make(map[string][]*flight)}
}

// scan returns the key after which to look for what is due; false if enough waits.
func (f *flights) scan() (after string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.workers.full() {
		return "", false
	}
	if f.early != "" && f.early <= f.cursor {
		f.cursor = f.early[:len(f.early)-1] // sorts before early
	}
	f.early = ""
	return f.cursor, true
}

// passed says that key, which is due, has been looked at.
func (f *flights) passed(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = max(f.cursor, key)
}

// look makes the next scan look at key, and what comes after it.
func (f *flights) look(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookLocked(key)
}

func (f *flights) lookLocked(key string) {
	if _, known := f.known[key]; known {
		f.known[key] = true
	} else if f.early == "" || key < f.early {
		f.early = key
	}
}

// take returns a flight for key if it can be sent now. If its actor is at work on enough,
// it stands in line.
func (f *flights) take(key string, m reminder) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.known[key]; known {
		return nil
	}
	if f.busy[m.path] >= maxPerActor && f.inLine >= maxQueued {
		if f.dropped == "" || key < f.dropped {
			f.dropped = key
		}
		return nil
	}
	f.known[key] = false
	return f.enter(&flight{key: key, reminder: m})
}

// enter lets one begin, or stand in line.
func (f *flights) enter(one *flight) *flight {
	path := one.reminder.path
	if f.busy[path] >= maxPerActor {
		f.line[path] = append(f.line[path], one)
		f.inLine++
		return nil
	}
	f.busy[path]++
	return one
}

// drop forgets one that is done. It returns the next of its actor, and whether there is
// something to look at again.
func (f *flights) drop(one *flight) (next *flight, look bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	look = f.known[one.key]
	delete(f.known, one.key)
	if look {
		f.lookLocked(one.key)
	}
	next = f.leave(one)
	if f.dropped != "" && f.inLine <= maxQueued/2 {
		f.lookLocked(f.dropped)
		f.dropped = ""
		look = true
	}
	return next, look
}

// rest takes one out of the count of its actor, and returns the next one of that.
func (f *flights) rest(one *flight) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leave(one)
}

// resume is for one that has rested; it returns it if it can be sent now.
func (f *flights) resume(one *flight) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.enter(one)
}

func (f *flights) leave(one *flight) *flight {
	path := one.reminder.path
	if waiting := f.line[path]; len(waiting) > 0 {
		if f.line[path] = waiting[1:]; len(waiting) == 1 {
			delete(f.line, path)
		}
		f.inLine--
		return waiting[0]
	}
	if f.busy[path]--; f.busy[path] == 0 {
		delete(f.busy, path)
	}
	return nil
}

// answer is that to one delivery.
type answer struct{ given atomic.Bool }

// first reports whether it is the first one.
func (a *answer) first() bool { return a.given.CompareAndSwap(false, true) }
