package transport

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// Peer is the link to one incarnation of another node. All its methods may be
// called concurrently. Errors of its sends are of type [*Error].
type Peer struct {
	transport   *Transport
	node        string
	incarnation uint64
	conn        *grpc.ClientConn
	lanes       []*lane
	ids         atomic.Uint64 // of calls and watches
	pulse       pulse

	ctx     context.Context // ends with the link
	cancel  context.CancelFunc
	wg      sync.WaitGroup // lanes
	closing sync.Once
}

func newPeer(t *Transport, key peerKey, address string) *Peer {
	p := &Peer{transport: t, node: key.node, incarnation: key.incarnation, pulse: pulse{made: time.Now()}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.lanes = make([]*lane, t.cfg.Lanes)
	for i := range p.lanes {
		p.lanes[i] = newLane(p, i)
	}
	conn, err := grpc.NewClient("passthrough:///"+address, t.cfg.dialOptions(key.node, address, &p.pulse)...)
	if err != nil {
		p.shut(fmt.Errorf("%w: %w", ErrUnreachable, err))
		return p
	}
	p.conn = conn
	return p
}

// Node returns the name of the other node.
func (p *Peer) Node() string { return p.node }

// Incarnation returns the incarnation of the other node.
func (p *Peer) Incarnation() uint64 { return p.incarnation }

// Tell queues e as a Cast. It never blocks, keeps nothing of e, and fails with
// kind NotSent, where there is no room with [ErrQueueFull] or [ErrReceiverFull].
// Casts with the same To and UID arrive in the order of Tell; what is lost after
// Tell has returned nil goes to Config.Dropped.
func (p *Peer) Tell(e *wire.Envelope) error {
	e.Kind = wire.Cast
	size, err := p.size(e)
	if err != nil {
		return err
	}
	return p.lane(e).tell(e, size)
}

// Call sends e as a Call, with an ID and, if ctx has a deadline, the time left,
// and waits for its answer: a view of the reply, which the caller owns. Other
// outcomes are an [*Error]: a Failure (Failed), a message that surely did not
// run (NotSent), a link that broke (Lost), or the end of ctx (ContextEnded); in
// that case the other node is told to cancel.
func (p *Peer) Call(ctx context.Context, e *wire.Envelope) (wire.View, error) {
	return p.call(ctx, e, false)
}

// CallRepeatable is Call for a message that may be handled twice. While the other
// process hangs, it fails after a second, Lost or NotSent with the cause [ErrHangs], for
// the caller to ask another node.
func (p *Peer) CallRepeatable(ctx context.Context, e *wire.Envelope) (wire.View, error) {
	return p.call(ctx, e, true)
}

func (p *Peer) call(ctx context.Context, e *wire.Envelope, repeatable bool) (wire.View, error) {
	if err := ctx.Err(); err != nil {
		return wire.View{}, &Error{Kind: NotSent, Node: p.node, Err: err}
	}
	e.Kind = wire.Call
	e.ID = p.ids.Add(1)
	if deadline, ok := ctx.Deadline(); ok {
		e.Timeout = uint64(max(time.Until(deadline), 1))
	}
	size, err := p.size(e)
	if err != nil {
		return wire.View{}, err
	}
	l := p.lane(e)
	c := p.transport.newCall()
	c.repeatable = repeatable
	if err := l.addCall(e, size, c); err != nil {
		p.transport.freeCall(c)
		return wire.View{}, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if l.cancelCall(e) {
			p.transport.freeCall(c)
			return wire.View{}, &Error{Kind: ContextEnded, Node: p.node, Err: ctx.Err()}
		}
		<-c.done
	}
	view, err := c.view, c.err
	p.transport.freeCall(c)
	return view, err
}

// Close ends the link for the given reason, which the errors of everything
// pending wrap: calls fail, casts go to Config.Dropped, watches end. It returns
// when all that is done and may be called again; the first reason counts. It
// must not be called from a hook or from Watch's callback.
func (p *Peer) Close(reason error) {
	p.shut(reason)
	p.transport.forget(p)
}

// Retire closes the link to a node that has said goodbye: sends fail from now on,
// but calls in flight have until ctx ends to be answered. It returns when the link
// is closed.
func (p *Peer) Retire(ctx context.Context, reason error) {
	for _, l := range p.lanes {
		l.close(reason)
	}
	for _, l := range p.lanes {
		select {
		case <-l.quiet:
		case <-p.ctx.Done():
		case <-ctx.Done():
		}
	}
	p.Close(reason)
}

func (p *Peer) shut(reason error) {
	p.closing.Do(func() {
		for _, l := range p.lanes {
			l.close(reason)
		}
		p.cancel()
		p.wg.Wait()
		if p.conn != nil {
			_ = p.conn.Close() // fails only when closed before
		}
		for _, l := range p.lanes {
			l.drain(reason)
		}
	})
}

// lane chooses by the receiver: that is what keeps its messages in order.
func (p *Peer) lane(e *wire.Envelope) *lane {
	if len(p.lanes) == 1 {
		return p.lanes[0]
	}
	h := maphash.String(p.transport.seed, e.To) ^ e.UID*0x9e3779b97f4a7c15
	return p.lanes[(h>>32)%uint64(len(p.lanes))]
}

func (p *Peer) size(e *wire.Envelope) (int, error) {
	size := wire.Size(e)
	if limit := limitFor(e, p.transport.cfg.MaxMessage); exceeds(e, size, limit) {
		return 0, p.notSent(fmt.Errorf("%w (payload of %d bytes, all of %d, limit %d)",
			ErrTooLarge, len(e.Payload), size, limit))
	}
	return size, nil
}

func (p *Peer) notSent(cause error) *Error { return &Error{Kind: NotSent, Node: p.node, Err: cause} }

func (p *Peer) lost(cause error) *Error { return &Error{Kind: Lost, Node: p.node, Err: cause} }
