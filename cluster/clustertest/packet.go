package clustertest

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	maxPacket  = 65507 // the payload of a UDP packet over IPv4
	maxPackets = 1024  // on the way to one socket and unread there; more are dropped
)

// packetConn is the net.PacketConn of a host's port.
type packetConn struct {
	host  *Host
	local netip.AddrPort

	// Guarded by host.net.mu.
	queue         []packet // by due time
	closed        bool
	readDeadline  time.Time
	writeDeadline time.Time
	changed       signal
}

type packet struct {
	from netip.AddrPort
	data []byte
	due  time.Time
}

// ReadFrom reads one packet; what b has no room for is lost.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n := p.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		now := time.Now()
		var next time.Time
		switch {
		case p.closed:
			return 0, nil, p.opError("read", net.ErrClosed)
		case expired(p.readDeadline, now):
			return 0, nil, p.opError("read", os.ErrDeadlineExceeded)
		case p.host.frozen || len(p.queue) == 0:
		case p.queue[0].due.After(now):
			next = p.queue[0].due
		default:
			first := p.queue[0]
			p.queue = p.queue[1:]
			return copy(b, first.data), net.UDPAddrFromAddrPort(first.from), nil
		}
		n.wait(&p.changed, nil, next, p.readDeadline)
	}
}

// WriteTo succeeds whether or not the packet arrives.
func (p *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return 0, p.opError("write", fmt.Errorf("the address must be ip:port: %w", err))
	}
	if len(b) > maxPacket {
		return 0, p.opError("write", os.NewSyscallError("sendto", syscall.EMSGSIZE))
	}
	n := p.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, p.opError("write", net.ErrClosed)
		case expired(p.writeDeadline, time.Now()):
			return 0, p.opError("write", os.ErrDeadlineExceeded)
		case !p.host.frozen:
			p.send(b, to)
			return len(b), nil
		}
		n.wait(&p.changed, nil, p.writeDeadline)
	}
}

func (p *packetConn) send(b []byte, addr netip.AddrPort) {
	n, from := p.host.net, p.host.machine
	to := n.byIP[addr.Addr().Unmap()]
	if to == nil || n.blocked(from, to) || n.lost(from, to) {
		return
	}
	due := time.Now().Add(n.latency(from, to))
	if to.process == nil {
		return
	}
	socket := to.process.packets[addr.Port()]
	if socket == nil || len(socket.queue) >= maxPackets {
		return
	}
	after, _ := slices.BinarySearchFunc(socket.queue, due, func(q packet, due time.Time) int {
		if q.due.After(due) {
			return 1
		}
		return -1 // of two due at once, the older one goes first
	})
	socket.queue = slices.Insert(socket.queue, after, packet{from: p.local, data: bytes.Clone(b), due: due})
	socket.changed.broadcast()
}

func (p *packetConn) Close() error {
	p.host.net.mu.Lock()
	defer p.host.net.mu.Unlock()
	if p.closed {
		return p.opError("close", net.ErrClosed)
	}
	p.close()
	return nil
}

func (p *packetConn) close() {
	p.closed = true
	p.queue = nil
	delete(p.host.packets, p.local.Port())
	p.changed.broadcast()
}

func (p *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.local) }

func (p *packetConn) SetDeadline(t time.Time) error {
	return p.setDeadline(func() { p.readDeadline, p.writeDeadline = t, t })
}

func (p *packetConn) SetReadDeadline(t time.Time) error {
	return p.setDeadline(func() { p.readDeadline = t })
}

func (p *packetConn) SetWriteDeadline(t time.Time) error {
	return p.setDeadline(func() { p.writeDeadline = t })
}

func (p *packetConn) setDeadline(set func()) error {
	p.host.net.mu.Lock()
	defer p.host.net.mu.Unlock()
	if p.closed {
		return p.opError("set", net.ErrClosed)
	}
	set()
	p.changed.broadcast()
	return nil
}

func (p *packetConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: p.LocalAddr(), Err: err}
}
