package transport

import "github.com/troupe-go/troupe/cluster/internal/wire"

// Watch waits for the end of an actor on another node.
type Watch struct {
	lane     *lane
	envelope wire.Envelope
	seq      uint64 // the lane's number of its envelope, 0 if not queued
	ended    func(*wire.View, error)
}

// Watch sends e as a Watch with an ID and calls ended once: with the Terminated
// envelope, valid during the callback, or with an error of kind Failed (the other node refuses) or NotSent
// (this link was closed, or the node has restarted). A watch outlives broken
// connections: the lane connects again and sends it again. It fails only when
// the link is closed or e is too large; e's payload is not copied and must not
// change. The callback comes from the transport's own goroutines, must not block
// and must not close a Peer.
func (p *Peer) Watch(e *wire.Envelope, ended func(*wire.View, error)) (*Watch, error) {
	e.Kind = wire.Watch
	e.ID = p.ids.Add(1)
	size, err := p.size(e)
	if err != nil {
		return nil, err
	}
	l := p.lane(e)
	w := &Watch{lane: l, envelope: *e, ended: ended}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed != nil {
		return nil, l.closed
	}
	if l.gone != nil {
		return nil, l.gone
	}
	if err := l.refuses(e, size); err != nil {
		return nil, err
	}
	// A lane that is down or full takes the watch all the same: whatever is
	// not queued goes out when the next stream opens.
	if l.down == nil {
		l.push(&w.envelope, size)
		w.seq = l.seq
	}
	l.watches[e.ID] = w
	return w, nil
}

// Stop takes the watch back. A callback that was due at that moment may still
// run. It may be called again.
func (w *Watch) Stop() {
	l := w.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watches[w.envelope.ID] == nil {
		return
	}
	delete(l.watches, w.envelope.ID)
	l.signal(&wire.Envelope{Kind: wire.Unwatch, ID: w.envelope.ID, To: w.envelope.To, UID: w.envelope.UID})
}

// takeWatch takes out the watch that an answer is for; nil if it was stopped.
func (l *lane) takeWatch(id uint64) *Watch {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watches[id]
	delete(l.watches, id)
	return w
}

// endWatches ends all watches with an error.
func (l *lane) endWatches(err error) {
	l.mu.Lock()
	watches := l.watches
	l.watches = make(map[uint64]*Watch)
	l.mu.Unlock()
	for _, w := range watches {
		l.peer.transport.guard(func() { w.ended(nil, err) })
	}
}

// rewatch returns the watches that an earlier stream took with it, encoded to be
// the first that a new stream sends.
func (l *lane) rewatch() []*batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := queue{buffers: l.queue.buffers}
	for _, w := range l.watches {
		if w.seq <= l.handed {
			q.append(&w.envelope, wire.Size(&w.envelope), 0)
		}
	}
	return q.batches
}

// terminated tells a watch of its end.
func (l *lane) terminated(v *wire.View) {
	w := l.takeWatch(v.ID)
	if w == nil {
		return
	}
	var err error
	if v.Kind == wire.Failure {
		v, err = nil, failed(l.peer.node, v)
	}
	l.peer.transport.guard(func() { w.ended(v, err) })
}
