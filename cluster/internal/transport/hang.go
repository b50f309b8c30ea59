package transport

import (
	"time"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// A process that is paused, or gets no CPU, reads and sends nothing, while its system
// keeps the connection. Membership gives it time, since it may go on in a moment. A call
// that may be handled twice need not wait for that: another node can be asked.
//
// quiet is how long nothing may be read from a node that owes answers before it is asked
// for a sign, and then for how long that is waited for.
const quiet = 500 * time.Millisecond

// lookout is what a lane knows of that, guarded by its mu.
type lookout struct {
	armed bool      // looked will be called
	asked time.Time // when a sign was asked for; zero if none was
	hangs time.Time // since when there has been no sign; zero if there was one
}

// isHung reports whether the node has given no sign since it was found to hang. The caller
// holds mu.
func (l *lane) isHung() bool {
	if l.peer.pulse.since(l.lookout.hangs) {
		l.lookout.hangs = time.Time{}
	}
	return !l.lookout.hangs.IsZero()
}

// lookOut has the node watched for as long as repeatable calls are in flight. The caller
// holds mu.
func (l *lane) lookOut() {
	if o := &l.lookout; !o.armed {
		o.armed, o.asked = true, time.Time{}
		time.AfterFunc(quiet, l.looked)
	}
}

// looked is called by a timer.
func (l *lane) looked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &l.lookout
	waiting := false
	for _, c := range l.calls {
		waiting = waiting || c.repeatable
	}
	silence := l.peer.pulse.silence()
	switch {
	case !waiting:
		o.armed = false
	case silence < quiet || !o.asked.IsZero() && l.peer.pulse.since(o.asked):
		o.asked = time.Time{}
		time.AfterFunc(quiet-silence, l.looked)
	case o.asked.IsZero():
		o.asked = time.Now()
		l.signal(&wire.Envelope{Kind: wire.Cancel}) // of no call: it is acknowledged, at once
		time.AfterFunc(quiet, l.looked)
	default:
		o.armed = false
		o.hangs = time.Now()
		lost := l.peer.lost(ErrHangs)
		for id, c := range l.calls {
			if c.repeatable {
				l.forget(id)
				l.signal(&wire.Envelope{Kind: wire.Cancel, ID: id})
				c.fail(lost)
			}
		}
	}
}
