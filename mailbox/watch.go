package mailbox

import "time"

// watchInterval is the time between two looks at the runners while tasks wait. A
// runner that is in the same turn for one to two intervals counts as stuck.
const watchInterval = 500 * time.Microsecond

// watch finds the runners that are stuck: blocked, or in a long turn. Turns are
// numbered as they begin, so the runners that were busy at the last look are
// those whose turn is older than a mark; counting them takes no list.
type watch struct {
	timer *time.Timer
	armed bool

	turns       uint64 // turns begun so far
	suspectMark uint64 // older turns had begun at the last look
	stuckMark   uint64 // older turns had begun at the look before
	suspects    int    // running turns from stuckMark to suspectMark
	stuck       int    // running turns older than stuckMark
}

// turnBegan returns the number of a new turn.
func (w *watch) turnBegan() uint64 {
	w.turns++
	return w.turns - 1
}

func (w *watch) turnEnded(turn uint64) {
	switch {
	case turn < w.stuckMark:
		w.stuck--
	case turn < w.suspectMark:
		w.suspects--
	}
}

// suspect makes every running turn that is not stuck a suspect.
func (w *watch) suspect(busy int) {
	w.suspectMark = w.turns
	w.suspects = busy - w.stuck
}

// convict makes the suspects stuck, and returns how many there were.
func (w *watch) convict() int {
	n := w.suspects
	w.stuckMark = w.suspectMark
	w.stuck += n
	w.suspects = 0
	return n
}

// armWatch starts the watch, if it is not at work. s.mu is held.
func (s *Scheduler) armWatch() {
	w := &s.watch
	if w.armed {
		return
	}
	w.armed = true
	w.suspect(s.busy)
	if w.timer == nil {
		w.timer = time.AfterFunc(watchInterval, s.look)
	} else {
		w.timer.Reset(watchInterval)
	}
}

// look starts runners in place of those that are stuck. If all of them get stuck
// the number of runners doubles from look to look.
func (s *Scheduler) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.watch
	convicted := w.convict()
	if s.queue.n == 0 {
		w.armed = false
		s.checkDone()
		return
	}
	if missing := s.base - (s.live - w.stuck); missing > 0 {
		for range min(s.queue.n, max(missing, 2*convicted)) {
			s.launch()
		}
	}
	w.suspect(s.busy)
	w.timer.Reset(watchInterval)
}

// disarmWatch reports whether the watch has ended; if not, its last look is under
// way. s.mu is held.
func (s *Scheduler) disarmWatch() bool {
	w := &s.watch
	if w.armed && w.timer.Stop() {
		w.armed = false
	}
	return !w.armed
}
