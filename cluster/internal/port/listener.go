package port

import (
	"crypto/tls"
	"net"
	"sync"
)

// listener is the net.Listener of one protocol.
type listener struct {
	addr  net.Addr
	conns chan *tls.Conn
	done  chan struct{}

	mu     sync.Mutex // makes offer and Close exclude each other
	closed bool
}

func newListener(addr net.Addr) *listener {
	return &listener{
		addr:  addr,
		conns: make(chan *tls.Conn, maxBacklog),
		done:  make(chan struct{}),
	}
}

// offer hands a connection to Accept and reports whether there was room for it.
func (l *listener) offer(c *tls.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	select {
	case l.conns <- c:
		return true
	default:
		return false
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
}

// Close may be called more than once.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	for {
		select {
		case c := <-l.conns:
			c.NetConn().Close() // without the alert, which could wait for the peer
		default:
			return nil
		}
	}
}

func (l *listener) Addr() net.Addr { return l.addr }
