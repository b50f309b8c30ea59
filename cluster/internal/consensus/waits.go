package consensus

import (
	"container/list"
	"context"
	"log/slog"
	"sync"
	"time"
)

// The log says what is waited for after firstNotice, and again after pauses that grow by
// noticeGrowth, up to rareNotice.
const (
	firstNotice  = 2 * time.Second
	noticeGrowth = 5
	rareNotice   = time.Minute
)

// Waits says in the log what is waited for when that takes long: once for all who wait for
// the same, and rarely after that. The zero value is ready to use. All methods may be called
// concurrently.
type Waits struct {
	mu     sync.Mutex
	byWhat map[string]*wait
}

// wait is what some wait for, or have waited for lately.
type wait struct {
	waiters list.List // of *waiter, who has waited longest first
	timer   *time.Timer
	pause   time.Duration // before the next notice; 0 before the first
	next    time.Time     // there is no notice before
}

// waiter is one who waits.
type waiter struct {
	since time.Time
	level slog.Leveler
	why   func() string
}

// Begin notes that somebody waits, until done is called. what says who does, and why for
// what, and what to do about it. level and why are asked when it is logged, which may be at
// the time of done.
func (w *Waits) Begin(log *slog.Logger, level slog.Leveler, what string, why func() string) (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.byWhat[what]
	if x == nil {
		x = new(wait)
		x.timer = time.AfterFunc(firstNotice, func() { w.look(log, what, x) })
		if w.byWhat == nil {
			w.byWhat = make(map[string]*wait)
		}
		w.byWhat[what] = x
	}
	e := x.waiters.PushBack(&waiter{time.Now(), level, why})
	return func() { w.end(what, x, e) }
}

// end forgets one who waited. Of what the log has spoken it is remembered for a while, so
// that it does not do so again at once.
func (w *Waits) end(what string, x *wait, e *list.Element) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.waiters.Remove(e); x.waiters.Len() == 0 && x.pause == 0 {
		x.timer.Stop()
		delete(w.byWhat, what)
	}
}

// look is called by the timer.
func (w *Waits) look(log *slog.Logger, what string, x *wait) {
	if longest, waiting := w.due(what, x); longest != nil {
		log.Log(context.Background(), longest.level.Level(), what+": "+longest.why(), "for", time.Since(longest.since).Round(time.Second), "waiting", waiting)
	}
}

// due returns who has waited longest if the log is to say so, and how many wait. It sees to
// it that it is asked again.
func (w *Waits) due(what string, x *wait) (longest *waiter, waiting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	front := x.waiters.Front()
	if front == nil {
		if w.byWhat[what] == x {
			delete(w.byWhat, what)
		}
		return nil, 0
	}
	longest = front.Value.(*waiter)
	at := longest.since.Add(firstNotice)
	if at.Before(x.next) {
		at = x.next
	}
	if now.Before(at) {
		x.timer.Reset(at.Sub(now))
		return nil, 0
	}
	x.pause = min(noticeGrowth*max(x.pause, firstNotice), rareNotice)
	x.next = now.Add(x.pause)
	x.timer.Reset(x.pause)
	return longest, x.waiters.Len()
}
