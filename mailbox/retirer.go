package mailbox

import (
	"slices"
	"time"
)

// retireInterval is the time between two looks at the idle runners. A runner that
// is idle for one to two intervals ends.
const retireInterval = 3 * time.Second

// retirer ends the runners that are not needed. The most recently used runner is
// the first to be used again, so if there were never fewer than n idle runners
// then the n at the bottom of the list have not been used.
type retirer struct {
	timer  *time.Timer
	armed  bool
	lowest int // the shortest that the list was since the last look
}

// armRetirer starts the retirer, if it is not at work, after the first runner has
// become idle. s.mu is held.
func (s *Scheduler) armRetirer() {
	t := &s.retirer
	if t.armed {
		return
	}
	t.armed = true
	t.lowest = len(s.idle)
	if t.timer == nil {
		t.timer = time.AfterFunc(retireInterval, s.retireIdle)
	} else {
		t.timer.Reset(retireInterval)
	}
}

// retireIdle ends the runners that have been idle since the last look.
func (s *Scheduler) retireIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.retirer
	for _, r := range s.idle[:t.lowest] {
		r.retired = true
		s.coming++
		r.wake <- struct{}{}
	}
	s.idle = slices.Delete(s.idle, 0, t.lowest)
	if t.lowest = len(s.idle); t.lowest == 0 {
		s.idle = nil
		t.armed = false
		s.checkDone()
		return
	}
	t.timer.Reset(retireInterval)
}

// disarmRetirer reports whether the retirer has ended; if not, its last look is
// under way. s.mu is held.
func (s *Scheduler) disarmRetirer() bool {
	t := &s.retirer
	if t.armed && t.timer.Stop() {
		t.armed = false
	}
	return !t.armed
}
