package link

import (
	"net"
	"sync"
)

// Inlet gives the connections of one listener to one replica after the other: each has
// a listener of its own, which it may close.
type Inlet struct {
	base net.Listener

	mu      sync.Mutex
	current *inletListener
}

// NewInlet returns one of base. Call Serve when the first replica listens.
func NewInlet(base net.Listener) *Inlet { return &Inlet{base: base} }

// Serve accepts until the listener is closed. What comes while no replica listens is
// closed.
func (i *Inlet) Serve() {
	for {
		conn, err := i.base.Accept()
		if err != nil {
			return
		}
		i.mu.Lock()
		l := i.current
		i.mu.Unlock()
		if l == nil || !l.give(conn) {
			_ = conn.Close() // there is no replica now
		}
	}
}

// Listen returns a listener that gets all connections from now on.
func (i *Inlet) Listen() net.Listener {
	l := &inletListener{addr: i.base.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current = l
	return l
}

type inletListener struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *inletListener) give(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.closed:
		return false
	}
}

func (l *inletListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *inletListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *inletListener) Addr() net.Addr { return l.addr }
