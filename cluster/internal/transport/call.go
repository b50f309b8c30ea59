package transport

import "github.com/troupe-go/troupe/cluster/internal/wire"

// A call is where a caller waits for its answer; it is recycled. Whoever takes
// it out of its lane's table settles it, once, or frees it.
type call struct {
	seq  uint64        // the lane's number of its envelope
	done chan struct{} // holds one
	// repeatable is of a message that may be handled twice.
	repeatable bool
	system     bool // as its envelope
	view       wire.View
	err        error
}

func (t *Transport) newCall() *call {
	if c, ok := t.calls.Get().(*call); ok {
		return c
	}
	return &call{done: make(chan struct{}, 1)}
}

func (t *Transport) freeCall(c *call) {
	c.view, c.err, c.repeatable, c.system = wire.View{}, nil, false, false
	t.calls.Put(c)
}

func (c *call) reply(v *wire.View) {
	c.view = *v
	c.done <- struct{}{}
}

func (c *call) fail(err error) {
	c.err = err
	c.done <- struct{}{}
}

// addCall queues e and lets c wait for its answer.
func (l *lane) addCall(e *wire.Envelope, size int, c *call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.repeatable && l.isHung() {
		return l.peer.notSent(ErrHangs)
	}
	if err := l.add(e, size); err != nil {
		return err
	}
	c.seq, c.system = l.seq, e.System
	l.calls[e.ID] = c
	if c.repeatable {
		l.lookOut()
	}
	return nil
}

// cancelCall gives a call up and tells the other node. It returns false when the
// call is being settled at this moment.
func (l *lane) cancelCall(e *wire.Envelope) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[e.ID] == nil {
		return false
	}
	l.forget(e.ID)
	l.signal(&wire.Envelope{Kind: wire.Cancel, ID: e.ID, To: e.To, UID: e.UID})
	return true
}

// takeCall takes out the call that an answer is for; nil if it was given up.
func (l *lane) takeCall(id uint64) *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls[id]
	l.forget(id)
	return c
}

// takeCalls takes out the calls that match. The caller holds the lane's lock.
func (l *lane) takeCalls(match func(*call) bool) []*call {
	var calls []*call
	for id, c := range l.calls {
		if match(c) {
			calls = append(calls, c)
			delete(l.calls, id)
		}
	}
	l.forget(0)
	return calls
}

// forget removes a call from the table, and says so if it was the last of a
// closed lane. The caller holds the lane's lock.
func (l *lane) forget(id uint64) {
	delete(l.calls, id) // no call has the ID 0
	if l.closed == nil || len(l.calls) > 0 {
		return
	}
	select {
	case <-l.quiet:
	default:
		close(l.quiet)
	}
}
