package consensus

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/spool"
	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence/version"
)

// handshakeTimeout is how long a new connection may take to say what it is for.
const handshakeTimeout = 10 * time.Second

// streams makes and accepts the connections of raft. It is a [raft.StreamLayer]: the
// address of a server is its ID, so that nobody talks to a server that is no longer
// there when another one is at its node.
type streams struct {
	config  *replicaConfig
	leaving func(ctx context.Context, server string) error // takes a server out of the core
	pausing func(ctx context.Context, server string) error // is told that a server will be away
	backup  func(ctx context.Context) (*spool.Spool, error)

	ctx      context.Context // of this; ends with Close
	stop     context.CancelFunc
	accepted chan net.Conn

	reporter version.Reporter

	mu     sync.Mutex
	closed bool
	conns  map[*streamConn]struct{}
	using  sync.WaitGroup // goroutines, and connections that are not closed
}

func newStreams(config *replicaConfig, leaving, pausing func(context.Context, string) error, backup func(context.Context) (*spool.Spool, error)) *streams {
	s := &streams{config: config, leaving: leaving, pausing: pausing, backup: backup, accepted: make(chan net.Conn), conns: map[*streamConn]struct{}{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.using.Go(s.accept)
	return s
}

// streamConn is a connection that streams knows of until somebody closes it.
type streamConn struct {
	net.Conn
	streams *streams
	once    sync.Once
}

// Close closes the connection.
func (c *streamConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.streams.mu.Lock()
		defer c.streams.mu.Unlock()
		delete(c.streams.conns, c)
		c.streams.using.Done()
	})
	return err
}

// track returns conn as one that Close ends; nil, and closes it, if it is too late.
func (s *streams) track(conn net.Conn) *streamConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil
	}
	c := &streamConn{Conn: conn, streams: s}
	s.conns[c] = struct{}{}
	s.using.Add(1)
	return c
}

func (s *streams) accept() {
	for {
		conn, err := s.config.Listener.Accept()
		if err != nil {
			if s.ctx.Err() == nil {
				s.config.Logger.Error("consensus: no more connections can be accepted", "error", err)
			}
			return
		}
		if c := s.track(conn); c != nil {
			s.using.Go(func() { s.welcome(c) })
		}
	}
}

// welcome finds out what a connection is for.
func (s *streams) welcome(c *streamConn) {
	_ = c.SetDeadline(time.Now().Add(handshakeTimeout))
	var hello consensuspb.Hello
	if err := readHandshake(c, &hello); err != nil {
		s.config.Logger.Debug("consensus: a connection began badly", "error", err)
		_ = c.Close()
		return
	}
	node, err := s.config.Peer(c.Conn)
	if err != nil {
		s.config.Logger.Warn("consensus: it is not known whose connection this is", "error", err)
		_ = c.Close()
		return
	}
	own := s.config.wire()
	if m := mismatch(own, nodeOf(s.config.Server), decodeVersion(hello.Version), node); m != nil {
		s.reporter.Warn(s.config.Logger, m)
		sendWelcome(c, &consensuspb.Welcome{Refusal: m.Error()}, own)
		_ = c.Close()
		return
	}
	spoken, _ := own.With(decodeVersion(hello.Version))
	reason := refusal(s.config.Core, s.config.Server, node, &hello)
	asked := map[consensuspb.Hello_Purpose]func(context.Context, string) error{
		consensuspb.Hello_LEAVE: s.leaving, consensuspb.Hello_PAUSE: s.pausing,
	}
	if answer := asked[hello.Purpose]; reason == "" && answer != nil {
		ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
		if err := answer(ctx, hello.From); err != nil {
			reason = err.Error()
		}
		cancel()
	}
	if reason == "" && hello.Purpose == consensuspb.Hello_BACKUP {
		s.serveBackup(c, spoken)
		return
	}
	if !sendWelcome(c, &consensuspb.Welcome{Refusal: reason}, spoken) || hello.Purpose != consensuspb.Hello_RAFT {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	select {
	case s.accepted <- c:
	case <-s.ctx.Done():
		_ = c.Close()
	}
}

// sendWelcome answers a hello, and reports whether the connection goes on.
func sendWelcome(c net.Conn, welcome *consensuspb.Welcome, v version.Version) bool {
	welcome.Version = encodeVersion(v)
	welcome.Refusal = strings.ToValidUTF8(welcome.Refusal[:min(len(welcome.Refusal), maxHandshake/2)], "?")
	return writeHandshake(c, welcome) == nil && welcome.Refusal == ""
}

// Accept implements [net.Listener].
func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Dial implements [raft.StreamLayer].
func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	c, err := s.open(ctx, string(address), consensuspb.Hello_RAFT)
	if err != nil {
		return nil, unreachable{err}
	}
	return c, nil
}

// leave asks that server, which leads, to take this one out.
func (s *streams) leave(ctx context.Context, server string) error {
	return s.ask(ctx, server, consensuspb.Hello_LEAVE)
}

// pause tells that server, which leads, that this one will be away for a while.
func (s *streams) pause(ctx context.Context, server string) error {
	return s.ask(ctx, server, consensuspb.Hello_PAUSE)
}

func (s *streams) ask(ctx context.Context, server string, purpose consensuspb.Hello_Purpose) error {
	c, err := s.open(ctx, server, purpose)
	if err != nil {
		return err
	}
	_ = c.Close() // the other side has closed it
	return nil
}

func (s *streams) open(ctx context.Context, server string, purpose consensuspb.Hello_Purpose) (net.Conn, error) {
	conn, err := s.config.Dial(ctx, nodeOf(server))
	if err != nil {
		return nil, err
	}
	c := s.track(conn)
	if c == nil {
		return nil, net.ErrClosed
	}
	_, err = greet(ctx, c, &consensuspb.Hello{
		Core: s.config.Core, From: s.config.Server, To: server, Purpose: purpose, Version: encodeVersion(s.config.wire()),
	})
	if err != nil {
		if m := new(version.Mismatch); errors.As(err, &m) {
			s.reporter.Warn(s.config.Logger, m)
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Addr implements [net.Listener]: raft takes it for the address of this server.
func (s *streams) Addr() net.Addr { return serverAddr(s.config.Server) }

type serverAddr string

func (serverAddr) Network() string  { return "troupe-raft" }
func (a serverAddr) String() string { return string(a) }

// Close ends all connections, made and accepted, and lets no more be made. It is
// idempotent.
func (s *streams) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.stop()
	for c := range s.conns {
		_ = c.Conn.Close() // whoever uses it closes it
	}
	return s.config.Listener.Close()
}

// wait returns when nobody uses a connection any more.
func (s *streams) wait() { s.using.Wait() }
