package virtual

import "time"

// sweep passivates, from time to time, what has been idle for long enough, and returns
// when it was last done.
func (s *server) sweep(last time.Time) time.Time {
	now := time.Now()
	if s.config.idle == 0 || now.Sub(last) < s.config.idle/4 {
		return last
	}
	for _, v := range s.active.Range {
		a := v.(*activation)
		if uses := a.uses.Load(); uses != a.seen || a.since.IsZero() {
			a.seen, a.since = uses, now
		} else if now.Sub(a.since) >= s.config.idle {
			a.drain()
		}
	}
	return now
}

// untilSweep returns how long to wait for the next sweep.
func (s *server) untilSweep() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 || s.config.idle == 0 {
		return time.Hour
	}
	return s.config.idle / 4
}
