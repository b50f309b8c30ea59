package clustertest

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// conn is one end of a stream.
type conn struct {
	host          *Host
	local, remote netip.AddrPort
	peer          *conn
	in, out       *pipe

	// Guarded by host.net.mu.
	closed        bool
	writing       bool // a Write is under way: others wait, so that none is torn
	readDeadline  time.Time
	writeDeadline time.Time
	changed       signal
}

func (c *conn) Read(b []byte) (int, error) {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		now := time.Now()
		c.in.settle(now)
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case expired(c.readDeadline, now):
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case c.host.frozen:
		case c.in.reset:
			return 0, c.opError("read", os.NewSyscallError("read", syscall.ECONNRESET))
		case len(b) == 0:
			return 0, nil
		case c.in.arrived.Len() > 0:
			k := c.in.receive(b, now)
			c.peer.changed.broadcast()
			return k, nil
		case c.in.ended:
			return 0, io.EOF
		}
		n.wait(&c.changed, nil, c.in.next(), c.readDeadline)
	}
}

// Write waits while the stream is full. It fails as soon as it is known that the
// other end has closed.
func (c *conn) Write(b []byte) (written int, err error) {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	mine := false
	defer func() {
		if mine {
			c.writing = false
			c.changed.broadcast()
		}
	}()
	for {
		now := time.Now()
		c.in.settle(now)
		c.out.settle(now)
		switch {
		case c.closed:
			return written, c.opError("write", net.ErrClosed)
		case expired(c.writeDeadline, now):
			return written, c.opError("write", os.ErrDeadlineExceeded)
		case c.host.frozen || c.writing && !mine:
		case c.in.reset:
			return written, c.opError("write", os.NewSyscallError("write", syscall.ECONNRESET))
		case c.in.ended:
			return written, c.opError("write", os.NewSyscallError("write", syscall.EPIPE))
		case len(b) == 0:
			return written, nil
		case c.out.room() > 0:
			mine, c.writing = true, true
			k := min(len(b), c.out.room())
			c.out.send(b[:k], false, now)
			c.peer.changed.broadcast()
			b = b[k:]
			written += k
			if len(b) == 0 {
				return written, nil
			}
			continue
		default:
			mine, c.writing = true, true
		}
		n.wait(&c.changed, nil, c.in.next(), c.writeDeadline)
	}
}

// Close lets what was written still reach the other end.
func (c *conn) Close() error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.out.send(nil, true, time.Now())
	c.detach()
	return nil
}

// abort closes the connection as the kernel does for a process that was killed.
func (c *conn) abort() {
	if !c.closed {
		c.out.killed = true
		c.detach()
	}
}

func (c *conn) detach() {
	c.closed = true
	c.in.unread = true
	c.in.discard()
	delete(c.host.conns, c)
	c.changed.broadcast()
	c.peer.changed.broadcast()
}

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) SetDeadline(t time.Time) error {
	return c.setDeadline(func() { c.readDeadline, c.writeDeadline = t, t })
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(func() { c.readDeadline = t })
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(func() { c.writeDeadline = t })
}

func (c *conn) setDeadline(set func()) error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	set()
	c.changed.broadcast()
	return nil
}

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
