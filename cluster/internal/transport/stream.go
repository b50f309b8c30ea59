package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/persistence/version"
)

// A stream is one life of a lane.
type stream struct {
	grpc.ClientStream
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing more is received
	// Written before ended is closed:
	err      error // why it ended
	fruitful bool  // something was received
}

// open makes a stream and waits until the other node has accepted it: before
// that nothing is sent, so whatever is queued has surely not run.
func (l *lane) open() (*stream, error) {
	p := l.peer
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(p.ctx, l.hello()))
	timer := time.AfterFunc(openTimeout, cancel)
	desc := grpc.StreamDesc{StreamName: "Open", ServerStreams: true, ClientStreams: true}
	cs, err := p.conn.NewStream(ctx, &desc, linkMethod)
	if err == nil {
		err = l.accepted(cs)
	}
	if !timer.Stop() && p.ctx.Err() == nil {
		err = fmt.Errorf("no answer within %v", openTimeout)
	}
	if err != nil {
		cancel()
		if mismatch := new(version.Mismatch); errors.As(err, &mismatch) {
			return nil, fmt.Errorf("%w: %w", ErrVersion, err)
		}
		if status.Code(err) == codes.FailedPrecondition {
			return nil, fmt.Errorf("%w: %w", ErrReplaced, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	s := &stream{ClientStream: cs, cancel: cancel, ended: make(chan struct{})}
	go l.receive(s)
	return s, nil
}

// accepted waits for the headers of the other node, which say in which version it
// speaks. Without any, the stream was refused, and receiving says why.
func (l *lane) accepted(s grpc.ClientStream) error {
	header, err := s.Header()
	if err != nil {
		return err
	}
	if _, ok := header[keyVersion]; ok {
		l.peer.transport.seen(l.peer.node, header)
		return cmp.Or(l.checkVersion(header), l.learn(header))
	}
	if err := s.RecvMsg(new(received)); err != nil {
		if _, ok := s.Trailer()[keyVersion]; ok {
			err = cmp.Or(l.checkVersion(s.Trailer()), err)
		}
		return err
	}
	return errors.New("it does not speak Troupe's protocol")
}

// checkVersion refuses an answer in another major version.
func (l *lane) checkVersion(md metadata.MD) error {
	t := l.peer.transport
	theirs, err := versionOf(md)
	if err != nil {
		return err
	}
	if _, ok := t.cfg.version.With(theirs); !ok {
		return t.mismatch(l.peer.node, theirs)
	}
	return nil
}

// write sends what is queued until the stream ends or the lane is closed.
func (l *lane) write(s *stream) {
	for _, b := range l.rewatch() {
		l.mu.Lock()
		l.record(b)
		l.mu.Unlock()
		if s.SendMsg(b) != nil {
			return
		}
	}
	for {
		b := l.next(s)
		if b == nil {
			return
		}
		if s.SendMsg(b) != nil {
			l.takeBack(b)
			return
		}
	}
}

// next waits for a batch and for room in flight; nil when it is over.
func (l *lane) next(s *stream) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.closed == nil {
		room := len(l.sent) < maxInFlight && l.sentBytes < l.peer.transport.cfg.QueueBytes
		if room {
			if b := l.queue.pop(); b != nil {
				l.handed = b.last
				l.record(b)
				l.serve()
				return b
			}
		}
		select {
		case <-s.ended:
			return nil
		default:
			l.park(s.ended)
		}
	}
	return nil
}

// record counts b as in flight. From here on a break makes it Lost, unless gRPC
// says that it did not take it. The caller holds mu.
func (l *lane) record(b *batch) {
	b.seal(l.queue.buffers)
	l.total += uint64(b.count)
	b.end = l.total
	l.sent = append(l.sent, b)
	l.sentBytes += b.size()
}

// takeBack returns to the queue the batch that gRPC has just refused: nothing of
// it has left this node, and it goes first on the next stream.
func (l *lane) takeBack(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.sent)
	if n == 0 || l.sent[n-1] != b {
		return // the other node acknowledged what it cannot have: b is freed
	}
	l.sent = l.sent[:n-1]
	l.sentBytes -= b.size()
	b.end = 0
	l.handed = b.first - 1
	l.queue.unpop(b)
}

func (l *lane) receive(s *stream) {
	defer close(s.ended)
	defer func() {
		if s.err == io.EOF {
			s.err = ErrBroken
		} else if !errors.Is(s.err, wire.ErrMalformed) {
			s.err = fmt.Errorf("%w: %w", ErrBroken, s.err)
		}
		s.cancel()
	}()
	var in received
	for {
		if s.err = s.RecvMsg(&in); s.err != nil {
			return
		}
		if s.err = l.take(in.data); s.err != nil {
			return
		}
		s.fruitful = true
	}
}

// take handles one frame of the other node.
func (l *lane) take(data []byte) error {
	frame := wire.Parse(data)
	var v wire.View
	for frame.Next(&v) {
		switch v.Kind {
		case wire.Reply:
			if c := l.takeCall(v.ID); c != nil {
				c.reply(&v)
			}
		case wire.Failure:
			if c := l.takeCall(v.ID); c != nil {
				c.fail(failed(l.peer.node, &v))
			} else {
				l.terminated(&v)
			}
		case wire.Terminated:
			l.terminated(&v)
		case wire.Room:
			if err := l.allow(&v); err != nil {
				return err
			}
		}
	}
	if err := frame.Err(); err != nil {
		return err
	}
	return l.ack(frame.Acked())
}

// ack frees what the other node has taken.
func (l *lane) ack(total uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if total > l.total {
		return fmt.Errorf("%w: it acknowledges %d envelopes of %d", wire.ErrMalformed, total, l.total)
	}
	l.acked = max(l.acked, total)
	n := 0
	for n < len(l.sent) && l.sent[n].end <= l.acked {
		l.sentBytes -= l.sent[n].size()
		l.sent[n].buf.Free()
		n++
	}
	if n > 0 {
		l.sent = append(l.sent[:0], l.sent[n:]...)
		l.unpark()
	}
	return nil
}
