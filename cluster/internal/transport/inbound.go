package transport

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/persistence/version"
)

// Calls are acknowledged by their replies, unless that many bytes or frames
// have come meanwhile. Anything else is acknowledged at once.
const (
	lateAckBytes  = 64 << 10
	lateAckFrames = 16
)

// Inbound is the receiving end of one lane of another node's link: one stream.
// All its methods may be called concurrently.
type Inbound struct {
	transport *Transport
	stream    grpc.ServerStream
	from      origin
	spoken    version.Version
	takes     int // the largest payload that the node takes; 0 if it has not said it

	evicted  chan struct{} // closed when a newer stream takes the place
	evict    func()
	ended    chan struct{} // closed when nothing more is received
	err      error         // what to answer; written before ended is closed
	finished chan struct{} // closed when the Handler knows that it is over

	// Owned by the receiver: what has come last, and how much of it was handed over.
	data  lent
	frame wire.Frame

	full  atomic.Bool   // the queue is over its bound
	taken atomic.Uint64 // envelopes received

	mu        sync.Mutex
	queue     queue
	acked     uint64 // of those taken
	ackDue    bool
	lateBytes int
	late      int
	parked    bool
	closed    bool
	wake      chan struct{}
	room      chan struct{}      // wakes the receiver when the queue has drained
	holds     map[receiver]*hold // receivers that have been full
	due       []*hold            // who has got something since that was last seen to
	forgetIn  int                // after how many further holds some are forgotten
	flushed   chan struct{}      // not nil while flush waits: closed when all is sent
}

// Node returns the name of the node that sends.
func (in *Inbound) Node() string { return in.from.node }

// Incarnation returns the incarnation of the node that sends.
func (in *Inbound) Incarnation() uint64 { return in.from.incarnation }

// Send queues a Reply, Failure or Terminated for the node. It never blocks and
// keeps nothing of e. Nothing is dropped for want of room: when more than
// Config.QueueBytes wait, the lane receives nothing until they have drained. A
// reply that is too large for either node becomes a Failure with the code
// ResourceExhausted.
// After the stream has ended Send does nothing: the caller there knows.
func (in *Inbound) Send(e *wire.Envelope) {
	cfg := &in.transport.cfg
	size := wire.Size(e)
	if own := limitFor(e, cfg.MaxMessage); exceeds(e, size, own) || in.takes > 0 && exceeds(e, size, limitFor(e, in.takes)) {
		text := fmt.Sprintf("the answer has %d bytes, the limit is %d", len(e.Payload), own)
		if in.takes > 0 {
			text = fmt.Sprintf("the answer has %d bytes, the limit is %d on node %s, which gives it, and %d on node %s, which asked",
				len(e.Payload), own, cfg.Node, limitFor(e, in.takes), in.from.node)
		}
		e = &wire.Envelope{
			Kind: wire.Failure, ID: e.ID, Code: uint32(codes.ResourceExhausted), Reason: "too-large",
			Text: text + ": send less, or raise the limit on every node",
		}
		size = wire.Size(e)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.push(e, size)
}

// push queues e, unless the stream has ended. The caller holds mu.
func (in *Inbound) push(e *wire.Envelope, size int) {
	if in.closed {
		return
	}
	in.queue.append(e, size, 0)
	if in.queue.bytes > in.transport.cfg.QueueBytes {
		in.full.Store(true)
	}
	in.unpark()
}

func (in *Inbound) unpark() {
	if in.parked {
		in.parked = false
		in.wake <- struct{}{} // never blocks: the writer takes it before it parks again
	}
}

// accept runs one stream of another node, as gRPC's handler.
func (t *Transport) accept(s grpc.ServerStream) error {
	from, spoken, takes, err := t.checkHello(s.Context())
	if err != nil {
		s.SetTrailer(versionPairs(t.cfg.version)) // the other node can say what is wrong, too
		return err
	}
	in := &Inbound{
		transport: t,
		stream:    s,
		from:      from,
		spoken:    spoken,
		takes:     takes,
		evicted:   make(chan struct{}),
		ended:     make(chan struct{}),
		finished:  make(chan struct{}),
		data:      lent{buffers: &t.buffers},
		queue:     queue{buffers: &t.buffers},
		wake:      make(chan struct{}, 1),
		room:      make(chan struct{}, 1),
	}
	in.evict = sync.OnceFunc(func() { close(in.evicted) })
	if err := t.admit(in); err != nil {
		return err
	}
	go in.write()
	go in.receive()
	// Returning makes gRPC end the stream, and with it both goroutines.
	header := metadata.Join(versionPairs(spoken), seenPairs(s.Context()), t.cfg.maxMessagePairs(spoken))
	if err := s.SendHeader(header); err != nil {
		return err
	}
	select {
	case <-in.ended:
		return in.err
	case <-in.evicted:
		return status.Error(codes.Aborted, "a newer stream of the same lane has taken over")
	}
}

// admit gives the lane to in. An earlier stream of the same lane may still be
// delivering what it had received: it is ended and waited for, so that order
// holds across a reconnect.
func (t *Transport) admit(in *Inbound) error {
	for {
		t.mu.Lock()
		if t.closed {
			t.mu.Unlock()
			return status.Error(codes.Unavailable, "the node is leaving")
		}
		earlier := t.inbound[in.from]
		if earlier == nil {
			t.inbound[in.from] = in
			t.wg.Add(2)
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		earlier.evict()
		select {
		case <-earlier.finished:
		case <-in.stream.Context().Done():
			return status.FromContextError(in.stream.Context().Err()).Err()
		}
	}
}

func (in *Inbound) receive() {
	t := in.transport
	left := true
	defer func() {
		if left { // the Handler called runtime.Goexit: go on in a new goroutine
			in.taken.Add(1)
			go in.receive()
		}
	}()
	in.err = in.takeAll()
	left = false
	defer t.wg.Done()
	close(in.ended)
	in.close()
	t.guard(func() { t.cfg.Handler.Closed(in) })
	t.mu.Lock()
	delete(t.inbound, in.from)
	t.mu.Unlock()
	close(in.finished)
}

// takeAll hands every envelope to the Handler, which may end its goroutine. It returns the
// status to end the stream with.
func (in *Inbound) takeAll() (err error) {
	defer func() {
		if r := recover(); r != nil {
			in.transport.logPanic("a message's handler panicked", r, "node", in.from.node)
			err = status.Error(codes.Internal, "the receiver of a message panicked")
		}
	}()
	handler := in.transport.cfg.Handler
	var v wire.View
	for late := false; ; late = true {
		for in.frame.Next(&v) {
			if in.full.Load() && !in.awaitRoom() {
				return status.Error(codes.Canceled, "the stream has ended")
			}
			if v.Total > 0 && v.Kind == wire.Cast {
				in.counted(&v)
			}
			handler.Receive(in, &v)
			in.taken.Add(1) // at once: the reply to a call acknowledges what came before it
			late = late && v.Kind == wire.Call
		}
		if err := in.frame.Err(); err != nil {
			in.transport.cfg.Logger.Warn("a node sent a malformed frame; its stream is closed", "node", in.from.node)
			return status.Error(codes.InvalidArgument, err.Error())
		}
		if in.data.data != nil {
			in.took(len(*in.data.data), late)
			in.data.free()
		}
		if err := in.stream.RecvMsg(&in.data); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		in.frame = wire.Parse(*in.data.data)
	}
}

// took acknowledges a frame: now, or late with the replies it asks for.
func (in *Inbound) took(size int, late bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.tellDue()
	in.late++
	in.lateBytes += size
	if !late || in.late >= lateAckFrames || in.lateBytes >= lateAckBytes {
		in.ackDue = true
		in.unpark()
	}
}

// awaitRoom waits until the queue has drained; false when the stream has ended.
func (in *Inbound) awaitRoom() bool {
	for {
		in.mu.Lock()
		full, closed := in.queue.bytes > in.transport.cfg.QueueBytes, in.closed
		in.full.Store(full)
		in.mu.Unlock()
		if closed {
			return false
		}
		if !full {
			return true
		}
		<-in.room
	}
}

func (in *Inbound) write() {
	defer in.transport.wg.Done()
	defer in.close()
	for {
		b := in.next()
		if b == nil {
			return
		}
		err := in.stream.SendMsg(b)
		b.buf.Free()
		if err != nil {
			return
		}
	}
}

// next waits for something to send; nil when the stream has ended.
func (in *Inbound) next() *batch {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed {
		b := in.queue.pop()
		if b == nil && in.ackDue {
			b = &batch{data: in.queue.buffers.Get(ackBytes)}
		}
		if b != nil {
			if taken := in.taken.Load(); taken > in.acked {
				*b.data = wire.AppendAcked(*b.data, taken)
				in.acked = taken
			}
			in.ackDue, in.late, in.lateBytes = false, 0, 0
			b.seal(in.queue.buffers)
			in.signalRoom()
			return b
		}
		in.parked = true
		in.signalFlushed()
		in.mu.Unlock()
		<-in.wake
		in.mu.Lock()
	}
	return nil
}

// close ends the writer and lets a waiting receiver go.
func (in *Inbound) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.queue.popAll()
	in.unpark()
	in.signalRoom()
	in.signalFlushed()
}

// flush waits until gRPC has got everything that was queued, or ctx ends.
func (in *Inbound) flush(ctx context.Context) error {
	in.mu.Lock()
	if in.closed || in.parked {
		in.mu.Unlock()
		return nil
	}
	if in.flushed == nil {
		in.flushed = make(chan struct{})
	}
	flushed := in.flushed
	in.mu.Unlock()
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (in *Inbound) signalFlushed() {
	if in.flushed != nil {
		close(in.flushed)
		in.flushed = nil
	}
}

func (in *Inbound) signalRoom() {
	select {
	case in.room <- struct{}{}:
	default:
	}
}
