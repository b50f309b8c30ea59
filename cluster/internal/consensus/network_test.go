package consensus

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
)

// pipeNetwork joins nodes in memory. What one sends to the other can be held back, each
// way: as with TCP, it arrives later.
type pipeNetwork struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
	cut       map[[2]string]bool
	changed   chan struct{}
	links     map[*pipeLink]struct{}
	pumps     sync.WaitGroup
}

type pipeLink struct {
	from, to string
	ends     [4]net.Conn
	broken   chan struct{}
	once     sync.Once
}

func newPipeNetwork(t testing.TB) *pipeNetwork {
	n := &pipeNetwork{
		listeners: map[string]*pipeListener{}, cut: map[[2]string]bool{},
		changed: make(chan struct{}), links: map[*pipeLink]struct{}{},
	}
	t.Cleanup(func() {
		n.breakLinks(func(*pipeLink) bool { return true })
		n.pumps.Wait()
	})
	return n
}

// set holds back what from sends to to, or no longer does.
func (n *pipeNetwork) set(from, to string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = cut
	close(n.changed)
	n.changed = make(chan struct{})
}

// isolate cuts a node off from others, or joins it again.
func (n *pipeNetwork) isolate(node string, others []string, cut bool) {
	for _, other := range others {
		if other != node {
			n.set(node, other, cut)
			n.set(other, node, cut)
		}
	}
}

// pass returns when something can get from one node to the other.
func (n *pipeNetwork) pass(from, to string, done ...<-chan struct{}) bool {
	done = append(done, nil, nil)
	for {
		n.mu.Lock()
		cut, changed := n.cut[[2]string{from, to}], n.changed
		n.mu.Unlock()
		if !cut {
			return true
		}
		select {
		case <-changed:
		case <-done[0]:
			return false
		case <-done[1]:
			return false
		}
	}
}

func (n *pipeNetwork) dial(ctx context.Context, from, to string) (net.Conn, error) {
	if !n.pass(from, to, ctx.Done()) || !n.pass(to, from, ctx.Done()) {
		return nil, ctx.Err()
	}
	n.mu.Lock()
	l := n.listeners[to]
	n.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	}
	link := &pipeLink{from: from, to: to, broken: make(chan struct{})}
	link.ends[0], link.ends[1] = net.Pipe()
	link.ends[2], link.ends[3] = net.Pipe()
	n.mu.Lock()
	n.links[link] = struct{}{}
	n.mu.Unlock()
	n.pumps.Go(func() { n.pump(link, link.ends[1], link.ends[2], from, to) })
	n.pumps.Go(func() { n.pump(link, link.ends[2], link.ends[1], to, from) })
	select {
	case l.conns <- namedConn{link.ends[3], from}:
		return link.ends[0], nil
	case <-l.closed:
		link.breakUp()
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	case <-ctx.Done():
		link.breakUp()
		return nil, ctx.Err()
	}
}

// namedConn is a connection that a node has made.
type namedConn struct {
	net.Conn
	from string
}

func peerOf(conn net.Conn) (string, error) {
	named, ok := conn.(namedConn)
	if !ok {
		return "", errors.New("nobody knows who has made this connection")
	}
	return named.from, nil
}

func (n *pipeNetwork) pump(link *pipeLink, in, out net.Conn, from, to string) {
	defer func() {
		link.breakUp()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.links, link)
	}()
	buf := make([]byte, 64<<10)
	for {
		k, err := in.Read(buf)
		if k > 0 && n.pass(from, to, link.broken) {
			_, err = out.Write(buf[:k])
		}
		if err != nil {
			n.pass(from, to, link.broken) // nor does the end of a connection get through
			return
		}
	}
}

func (l *pipeLink) breakUp() {
	l.once.Do(func() {
		close(l.broken)
		for _, c := range l.ends {
			_ = c.Close()
		}
	})
}

// breakLinks resets connections.
func (n *pipeNetwork) breakLinks(which func(*pipeLink) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		if which(l) {
			l.breakUp()
		}
	}
}

func (n *pipeNetwork) listen(node string) net.Listener {
	l := &pipeListener{node: node, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[node] = l
	return l
}

type pipeListener struct {
	node   string
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return memAddr(l.node) }

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }
