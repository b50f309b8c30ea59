package port

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	handshakeTimeout = 5 * time.Second
	maxHandshakes    = 128 // at once
	maxBacklog       = 128 // connections of one protocol that wait for Accept
	minAcceptPause   = 5 * time.Millisecond
	maxAcceptPause   = time.Second
)

var (
	// ErrBusy says that a connection was closed unheard, because too many others
	// were in their handshake.
	ErrBusy = errors.New("too many handshakes at once")

	// ErrBacklog says that a connection was closed after its handshake, because
	// too many of its protocol wait to be accepted, or its listener is closed.
	ErrBacklog = errors.New("nobody accepts connections of this protocol in time")

	// ErrNoProtocol says that a client asked for no protocol that is served here.
	ErrNoProtocol = errors.New("the client negotiated no protocol that is served here")
)

// Config is what a Port works with. All fields but Welcomed, Refused and Logger are needed.
type Config struct {
	// Listener yields the raw connections, and Packets is the socket on the same
	// port. From a successful Open on, the Port owns both.
	Listener net.Listener
	Packets  net.PacketConn

	// TLS is the server's side of every connection. The Port works on a copy,
	// whose NextProtos are the Protocols and whose least version is TLS 1.3.
	// GetConfigForClient must be nil.
	TLS *tls.Config

	// Protocols are the ALPN names that are served.
	Protocols []string

	// Welcomed, if not nil, is told of every connection before it is handed over. It may
	// be called concurrently and must return soon.
	Welcomed func(*tls.Conn)

	// Refused, if not nil, is told of every connection that was closed instead of
	// handed over. It may be called concurrently and must return soon.
	Refused func(addr net.Addr, err error)

	// Logger gets each refusal at debug level, and at times one at warn level. Nil
	// discards them.
	Logger *slog.Logger
}

func (c *Config) validate() error {
	switch {
	case c.Listener == nil || c.Packets == nil:
		return errors.New("port: Listener and Packets must be set")
	case c.TLS == nil:
		return errors.New("port: TLS must be set: there is no plaintext mode")
	case c.TLS.GetConfigForClient != nil:
		return errors.New("port: TLS.GetConfigForClient must be nil: it would bypass the choice of protocols")
	case len(c.Protocols) == 0 || slices.Contains(c.Protocols, ""):
		return errors.New("port: Protocols must be set, to names that are not empty")
	}
	return nil
}

// Port accepts the connections of a node and sorts them by protocol. Its methods
// may be called concurrently.
type Port struct {
	listener   net.Listener
	packets    net.PacketConn
	tls        *tls.Config
	refusals   *refusals
	welcomed   func(*tls.Conn)
	logger     *slog.Logger
	protocols  map[string]*listener
	handshakes chan struct{} // holds one element for each that runs

	ctx     context.Context // ends when the Port closes
	cancel  context.CancelFunc
	running sync.WaitGroup
	close   func() error
}

// Open begins to accept connections. When it fails, the listener and the socket
// of the Config stay with the caller.
func Open(cfg Config) (*Port, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	config := cfg.TLS.Clone()
	config.NextProtos = slices.Clone(cfg.Protocols)
	config.MinVersion = tls.VersionTLS13

	p := &Port{
		listener:   cfg.Listener,
		packets:    cfg.Packets,
		tls:        config,
		refusals:   &refusals{logger: logger, hook: cfg.Refused},
		welcomed:   cfg.Welcomed,
		logger:     logger,
		protocols:  make(map[string]*listener, len(cfg.Protocols)),
		handshakes: make(chan struct{}, maxHandshakes),
	}
	for _, name := range cfg.Protocols {
		p.protocols[name] = newListener(cfg.Listener.Addr())
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.close = sync.OnceValue(p.shutDown)
	p.running.Go(p.accept)
	return p, nil
}

// Listener returns the listener of one protocol, the same at every call. What it
// accepts is a *tls.Conn whose handshake is done and has negotiated the protocol.
// Connections wait for Accept from Open on; closing the listener closes them and
// turns later ones away. The listener of a protocol that is not among those of the
// Config is closed from the beginning.
func (p *Port) Listener(alpn string) net.Listener {
	if l := p.protocols[alpn]; l != nil {
		return l
	}
	l := newListener(p.Addr())
	l.Close()
	return l
}

// Packets returns the packet socket of the port. The Port closes it.
func (p *Port) Packets() net.PacketConn { return p.packets }

// Addr returns the address the Port listens at.
func (p *Port) Addr() net.Addr { return p.listener.Addr() }

// Close stops accepting, closes the packet socket and every connection that
// nobody has accepted, and returns when the goroutines of the Port have ended.
// Connections that were accepted stay open. All calls return what the first did.
func (p *Port) Close() error { return p.close() }

func (p *Port) shutDown() error {
	p.cancel()
	err := errors.Join(closing(p.listener.Close()), closing(p.packets.Close()))
	p.running.Wait()
	return err
}

// closing forgives that the network has closed a socket already.
func closing(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("port: close: %w", err)
}

// accept runs until the listener is closed. Other errors of Accept, such as that
// the process has no file descriptor left, pass.
func (p *Port) accept() {
	defer func() {
		for _, l := range p.protocols {
			l.Close()
		}
	}()
	pause := minAcceptPause
	for {
		conn, err := p.listener.Accept()
		switch {
		case err == nil:
			pause = minAcceptPause
			p.admit(conn)
		case p.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default:
			p.logger.Warn("cannot accept connections for now", "address", p.Addr(), "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-p.ctx.Done():
				return
			}
			pause = min(2*pause, maxAcceptPause)
		}
	}
}

// admit starts the handshake of a connection, if there is room for one more.
func (p *Port) admit(conn net.Conn) {
	select {
	case p.handshakes <- struct{}{}:
		p.running.Go(func() {
			defer func() { <-p.handshakes }()
			if err := p.welcome(conn); err != nil {
				conn.Close()
				if p.ctx.Err() == nil {
					p.refusals.report(conn, err)
				}
			}
		})
	default:
		conn.Close()
		p.refusals.report(conn, ErrBusy)
	}
}

// welcome does the handshake and hands the connection over.
func (p *Port) welcome(conn net.Conn) error {
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTimeout)
	defer cancel()
	c := tls.Server(conn, p.tls)
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	l := p.protocols[c.ConnectionState().NegotiatedProtocol]
	if l == nil {
		return ErrNoProtocol
	}
	if p.welcomed != nil {
		p.welcomed(c)
	}
	if !l.offer(c) {
		return ErrBacklog
	}
	return nil
}
