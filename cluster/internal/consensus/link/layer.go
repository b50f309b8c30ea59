package link

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/spool"
	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence/version"
)

// HandshakeTimeout is how long a new connection may take to say what it is for.
const HandshakeTimeout = 10 * time.Second

// Config says whose connections a Layer makes, and who answers what others ask for with
// theirs. All functions may be called concurrently.
type Config struct {
	// Core is the ID of the core, Server that of this member, as [NodeOf] takes it.
	Core, Server string

	Logger *slog.Logger

	// Dial returns an authenticated connection to the listener of that node, Listener
	// gives such connections of others. The Layer closes Listener.
	Dial     func(ctx context.Context, node string) (net.Conn, error)
	Listener net.Listener

	// Peer returns the authenticated node at the other end of such a connection.
	Peer func(net.Conn) (node string, err error)

	// Version is what this server speaks.
	Version version.Version

	// Leaving takes a server out of the core, Pausing is told that one will be away for a
	// while, and Backup makes one of all that the core holds.
	Leaving, Pausing func(ctx context.Context, server string) error
	Backup           func(ctx context.Context) (*spool.Spool, error)
}

// Layer makes and accepts the connections of raft. It is a [raft.StreamLayer]: the
// address of a server is its ID, so that nobody talks to a server that is no longer
// there when another one is at its node.
type Layer struct {
	config Config

	ctx      context.Context // of this; ends with Close
	stop     context.CancelFunc
	accepted chan net.Conn

	reporter version.Reporter

	mu     sync.Mutex
	closed bool
	conns  map[*tracked]struct{}
	using  sync.WaitGroup // goroutines, and connections that are not closed
}

// New returns a Layer that accepts connections until it is closed.
func New(config Config) *Layer {
	s := &Layer{config: config, accepted: make(chan net.Conn), conns: map[*tracked]struct{}{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.using.Go(s.accept)
	return s
}

// tracked is a connection that a Layer knows of until somebody closes it.
type tracked struct {
	net.Conn
	layer *Layer
	once  sync.Once
}

// Close closes the connection.
func (c *tracked) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.layer.mu.Lock()
		defer c.layer.mu.Unlock()
		delete(c.layer.conns, c)
		c.layer.using.Done()
	})
	return err
}

// track returns conn as one that Close ends; nil, and closes it, if it is too late.
func (s *Layer) track(conn net.Conn) *tracked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil
	}
	c := &tracked{Conn: conn, layer: s}
	s.conns[c] = struct{}{}
	s.using.Add(1)
	return c
}

func (s *Layer) accept() {
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
func (s *Layer) welcome(c *tracked) {
	_ = c.SetDeadline(time.Now().Add(HandshakeTimeout))
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
	own := s.config.Version
	if m := mismatch(own, NodeOf(s.config.Server), DecodeVersion(hello.Version), node); m != nil {
		s.reporter.Warn(s.config.Logger, m)
		sendWelcome(c, &consensuspb.Welcome{Refusal: m.Error()}, own)
		_ = c.Close()
		return
	}
	spoken, _ := own.With(DecodeVersion(hello.Version))
	reason := refusal(s.config.Core, s.config.Server, node, &hello)
	asked := map[consensuspb.Hello_Purpose]func(context.Context, string) error{
		consensuspb.Hello_LEAVE: s.config.Leaving, consensuspb.Hello_PAUSE: s.config.Pausing,
	}
	if answer := asked[hello.Purpose]; reason == "" && answer != nil {
		ctx, cancel := context.WithTimeout(s.ctx, HandshakeTimeout)
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
	welcome.Version = EncodeVersion(v)
	welcome.Refusal = strings.ToValidUTF8(welcome.Refusal[:min(len(welcome.Refusal), maxHandshake/2)], "?")
	return WriteHandshake(c, welcome) == nil && welcome.Refusal == ""
}

// Accept implements [net.Listener].
func (s *Layer) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Dial implements [raft.StreamLayer].
func (s *Layer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	c, err := s.Open(ctx, string(address), consensuspb.Hello_RAFT)
	if err != nil {
		return nil, Unreachable{err}
	}
	return c, nil
}

// Leave asks that server, which leads, to take this one out.
func (s *Layer) Leave(ctx context.Context, server string) error {
	return s.ask(ctx, server, consensuspb.Hello_LEAVE)
}

// Pause tells that server, which leads, that this one will be away for a while.
func (s *Layer) Pause(ctx context.Context, server string) error {
	return s.ask(ctx, server, consensuspb.Hello_PAUSE)
}

func (s *Layer) ask(ctx context.Context, server string, purpose consensuspb.Hello_Purpose) error {
	c, err := s.Open(ctx, server, purpose)
	if err != nil {
		return err
	}
	_ = c.Close() // the other side has closed it
	return nil
}

// Open returns a connection to that server which it has agreed to take for that purpose.
// An error that is [ErrRefused] is its answer.
func (s *Layer) Open(ctx context.Context, server string, purpose consensuspb.Hello_Purpose) (net.Conn, error) {
	conn, err := s.config.Dial(ctx, NodeOf(server))
	if err != nil {
		return nil, err
	}
	c := s.track(conn)
	if c == nil {
		return nil, net.ErrClosed
	}
	_, err = Greet(ctx, c, &consensuspb.Hello{
		Core: s.config.Core, From: s.config.Server, To: server, Purpose: purpose, Version: EncodeVersion(s.config.Version),
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
func (s *Layer) Addr() net.Addr { return serverAddr(s.config.Server) }

type serverAddr string

func (serverAddr) Network() string  { return "troupe-raft" }
func (a serverAddr) String() string { return string(a) }

// Close ends all connections, made and accepted, and lets no more be made. It is
// idempotent.
func (s *Layer) Close() error {
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

// Peers returns the nodes at the other ends of the connections that are open.
func (s *Layer) Peers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var peers []string
	for c := range s.conns {
		if node, err := s.config.Peer(c.Conn); err == nil {
			peers = append(peers, node)
		}
	}
	return peers
}

// Wait returns when nobody uses a connection any more.
func (s *Layer) Wait() { s.using.Wait() }

// Unreachable is the error of a connection that could not be made: nothing was sent.
type Unreachable struct{ error }

func (e Unreachable) Unwrap() error { return e.error }
