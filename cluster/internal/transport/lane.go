package transport

import (
	"container/list"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// maxInFlight bounds the frames that the other node has not acknowledged, beside
// Config.QueueBytes: each keeps a buffer.
const maxInFlight = 1024

// A lane is one ordered line to a peer. Its goroutine starts with the first
// envelope, opens a stream when there is something to send, and another one
// when that breaks. Everything below mu is guarded by it; a lane numbers the
// envelopes it queues (seq), and handed tells which of them gRPC has got.
type lane struct {
	peer  *Peer
	index int
	wake  chan struct{} // wakes the goroutine when it is parked

	failures int // streams in a row that came to nothing; the goroutine's own

	mu         sync.Mutex
	queue      queue
	seq        uint64
	handed     uint64
	calls      map[uint64]*call
	watches    map[uint64]*Watch
	started    bool
	parked     bool
	down       *Error // while no connection can be made
	gone       *Error // the incarnation is gone for good
	closed     *Error
	lookout    lookout
	allowances map[receiver]*allowance // of receivers that have a bound
	waiting    list.List               // of *waiter: of casts that wait for the queue
	reported   time.Time               // when a wait was last logged
	takes      int                     // the largest payload that the other node takes; 0 if it has not said it
	quiet      chan struct{}           // closed when the lane is, and no call is in flight

	// In flight on the current stream.
	sent      []*batch
	sentBytes int
	total     uint64 // envelopes handed over
	acked     uint64 // envelopes that the other node has taken
}

func newLane(p *Peer, index int) *lane {
	return &lane{
		peer:    p,
		index:   index,
		wake:    make(chan struct{}, 1),
		quiet:   make(chan struct{}),
		queue:   queue{buffers: &p.transport.buffers},
		calls:   make(map[uint64]*call),
		watches: make(map[uint64]*Watch),
	}
}

// add queues e unless the lane is closed, down or full. The caller holds mu.
func (l *lane) add(e *wire.Envelope, size int) error {
	if err := l.check(e, size); err != nil {
		return err
	}
	if l.isFull(size) {
		return l.peer.notSent(ErrQueueFull)
	}
	l.push(e, size)
	return nil
}

// check returns why e cannot be queued, whether there is room or not. The caller holds mu.
func (l *lane) check(e *wire.Envelope, size int) error {
	switch {
	case l.closed != nil:
		return l.closed
	case l.down != nil:
		return l.down
	}
	return l.refuses(e, size)
}

// isFull reports whether the queue has no room for size bytes more. The caller holds mu.
func (l *lane) isFull(size int) bool {
	return l.queue.bytes+size > l.peer.transport.cfg.QueueBytes
}

// signal queues a small envelope that must not be refused because the lane is
// full. When there is no stream, the other node knows already. The caller holds mu.
func (l *lane) signal(e *wire.Envelope) {
	if l.closed == nil && l.down == nil {
		l.push(e, wire.Size(e))
	}
}

func (l *lane) push(e *wire.Envelope, size int) {
	l.seq++
	l.queue.append(e, size, l.seq)
	if !l.started {
		l.started = true
		l.peer.wg.Add(1)
		go l.run()
	}
	l.unpark()
}

func (l *lane) unpark() {
	if l.parked {
		l.parked = false
		l.wake <- struct{}{} // never blocks: the goroutine takes it before it parks again
	}
}

func (l *lane) run() {
	defer l.peer.wg.Done()
	for l.await() {
		s, err := l.open()
		if err != nil {
			l.fail(err)
			l.awaitConnection(err)
			continue
		}
		l.write(s)
		<-s.ended
		s.cancel()
		l.settle(s.err)
		if s.fruitful {
			l.failures = 0
		} else {
			l.pause()
		}
	}
}

// await waits for a reason to open a stream; false when the lane is closed.
func (l *lane) await() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.closed == nil && len(l.queue.batches) == 0 && len(l.watches) == 0 {
		l.park(nil)
	}
	return l.closed == nil
}

// park waits until unpark, or until the stream ends. The caller holds mu, which
// is released meanwhile.
func (l *lane) park(ended <-chan struct{}) {
	l.parked = true
	l.mu.Unlock()
	select {
	case <-l.wake:
		l.mu.Lock()
	case <-ended:
		l.mu.Lock()
		if !l.parked {
			<-l.wake
		}
		l.parked = false
	}
}

// fail gives up what is queued, since no stream could be opened.
func (l *lane) fail(err error) {
	l.mu.Lock()
	l.down = l.peer.notSent(err)
	down := l.down
	calls := l.takeCalls(func(*call) bool { return true })
	batches := l.queue.popAll()
	l.refuseWaiters(down)
	l.handed = l.seq
	l.mu.Unlock()
	for _, c := range calls {
		c.fail(down)
	}
	l.drop(batches, 0, down)
}

// awaitConnection waits until it is worth to open a stream again. While it
// waits, sends fail at once.
func (l *lane) awaitConnection(err error) {
	p := l.peer
	switch {
	case errors.Is(err, ErrReplaced), errors.Is(err, ErrVersion):
		l.mu.Lock()
		l.gone = l.down
		l.mu.Unlock()
		l.endWatches(l.gone)
		<-p.ctx.Done()
	case p.conn.GetState() == connectivity.TransientFailure:
		p.conn.WaitForStateChange(p.ctx, connectivity.TransientFailure)
	default:
		l.pause()
	}
	l.mu.Lock()
	l.down = nil
	l.mu.Unlock()
}

// pause backs off between streams that come to nothing though there is a
// connection.
func (l *lane) pause() {
	d := min(backoffBase<<min(l.failures, 10), backoffMax)
	l.failures++
	timer := time.NewTimer(d*4/5 + rand.N(d*2/5))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.peer.ctx.Done():
	}
}

// settle accounts for what the broken stream had in flight.
func (l *lane) settle(cause error) {
	l.mu.Lock()
	if l.closed != nil {
		cause = l.closed.Err
	}
	calls := l.takeCalls(func(c *call) bool { return c.seq <= l.handed })
	sent, acked := l.sent, l.acked
	l.sent, l.sentBytes, l.total, l.acked = nil, 0, 0, 0
	l.forgetAllowances()
	l.serve()
	l.mu.Unlock()
	lost := l.peer.lost(cause)
	for _, c := range calls {
		c.fail(lost)
	}
	l.drop(sent, acked, lost)
}

// drop reports the casts in batches, without the first acked envelopes of their
// stream, and frees the batches.
func (l *lane) drop(batches []*batch, acked uint64, reason *Error) {
	t := l.peer.transport
	for _, b := range batches {
		at := max(b.end, uint64(b.count)) - uint64(b.count) // end is 0 if never sent
		frame := wire.Parse(*b.data)
		var v wire.View
		for frame.Next(&v) {
			if at++; v.Kind == wire.Cast && at > acked {
				t.guard(func() { t.cfg.Dropped(l.peer.node, string(v.To), string(v.Message), reason) })
			}
		}
		if b.buf != nil {
			b.buf.Free()
		} else {
			t.buffers.Put(b.data)
		}
	}
}

// close makes further sends fail, and what is queued with them. Calls in flight
// may still be answered.
func (l *lane) close(reason error) {
	l.mu.Lock()
	if l.closed == nil {
		l.closed = l.peer.notSent(reason)
	}
	closed := l.closed
	calls := l.takeCalls(func(c *call) bool { return c.seq > l.handed })
	l.refuseWaiters(closed)
	l.unpark()
	l.mu.Unlock()
	for _, c := range calls {
		c.fail(closed)
	}
}

// drain gives up what is left when the goroutine has ended.
func (l *lane) drain(reason error) {
	l.fail(reason)
	l.endWatches(l.peer.notSent(reason))
}
