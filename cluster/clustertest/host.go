package clustertest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Host is one process on one machine of a [Network], and what a node takes as
// its cluster.Network. Its methods may be called concurrently.
type Host struct {
	net     *Network
	machine *machine

	// Guarded by net.mu.
	dead      bool
	frozen    bool
	listeners map[uint16]*listener
	packets   map[uint16]*packetConn
	conns     map[*conn]struct{}
	thawed    signal
}

// Name returns the name that the host was made with.
func (h *Host) Name() string { return h.machine.name }

// IP returns the address of the host, from 10.0.0.0/8.
func (h *Host) IP() netip.Addr { return h.machine.ip }

// Listen opens a port of the host for streams and packets. The address is
// "ip:port" where ip is the host's own, unspecified or absent, and port 0 picks a
// free one. The error is one of syscall.EADDRINUSE, syscall.EADDRNOTAVAIL and
// net.ErrClosed (the process has crashed) for errors.Is, or says how the address
// is malformed.
func (h *Host) Listen(ctx context.Context, address string) (net.Listener, net.PacketConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, listenError(address, err)
	}
	ip, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, listenError(address, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, nil, listenError(address, fmt.Errorf("the port is not a number from 0 to 65535: %w", err))
	}
	if ip != "" {
		parsed, err := netip.ParseAddr(ip)
		if err != nil {
			return nil, nil, listenError(address, err)
		}
		if parsed != h.IP() && !parsed.IsUnspecified() {
			return nil, nil, listenError(address, fmt.Errorf("host %s has the address %s: %w", h.Name(), h.IP(), syscall.EADDRNOTAVAIL))
		}
	}

	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.dead {
		return nil, nil, listenError(address, h.deadError())
	}
	local := netip.AddrPortFrom(h.IP(), uint16(number))
	if number == 0 {
		local = h.freePort()
	}
	if h.taken(local.Port()) {
		return nil, nil, listenError(address, syscall.EADDRINUSE)
	}
	l := &listener{host: h, local: local}
	p := &packetConn{host: h, local: local}
	h.listeners[local.Port()] = l
	h.packets[local.Port()] = p
	return l, p, nil
}

// Dial opens a stream to "ip:port". It fails at once with syscall.ECONNREFUSED
// when nobody listens there, and with syscall.EHOSTUNREACH when no host has this
// address. While the link is cut in either direction, it waits until the context
// ends.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	remote, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("clustertest: dial %q: the address must be ip:port: %w", address, err)
	}
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()

	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(remote), Err: err}
	}
	to := n.byIP[remote.Addr()]
	var established time.Time // when the handshake is through; zero while it cannot start
	for {
		var until time.Time
		now := time.Now()
		switch {
		case h.dead:
			return fail(h.deadError())
		case ctx.Err() != nil:
			return fail(ctx.Err())
		case to == nil:
			return fail(os.NewSyscallError("connect", syscall.EHOSTUNREACH))
		case h.frozen:
			n.wait(&h.thawed, ctx.Done())
			continue
		case n.blocked(h.machine, to) || n.blocked(to, h.machine):
			established = time.Time{}
		default:
			if established.IsZero() {
				established = now.Add(n.streamLatency(h.machine, to) + n.streamLatency(to, h.machine))
			}
			if now.Before(established) {
				until = established
				break
			}
			var l *listener
			if to.process != nil {
				l = to.process.listeners[remote.Port()]
			}
			if l == nil {
				return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
			}
			if len(l.backlog) < maxBacklog {
				return l.connect(h), nil
			}
		}
		n.wait(&n.changed, ctx.Done(), until)
	}
}

func (h *Host) taken(port uint16) bool {
	return h.listeners[port] != nil || h.packets[port] != nil
}

// freePort returns an address of the host that nobody listens at. Ports are not
// used again soon, even by the next process of the machine.
func (h *Host) freePort() netip.AddrPort {
	for {
		port := h.machine.nextPort
		h.machine.nextPort = max(port+1, firstEphemeral)
		if !h.taken(port) {
			return netip.AddrPortFrom(h.IP(), port)
		}
	}
}

func (h *Host) deadError() error {
	return fmt.Errorf("the process of host %s has ended, Network.Host starts another: %w", h.Name(), net.ErrClosed)
}

func listenError(address string, err error) error {
	return fmt.Errorf("clustertest: listen on %q: %w", address, err)
}

// maxBacklog is how many streams wait for Accept; further dialers wait.
const maxBacklog = 128

// listener is the net.Listener of a host's port.
type listener struct {
	host  *Host
	local netip.AddrPort

	// Guarded by host.net.mu.
	backlog []*conn
	closed  bool
	ready   signal
}

// connect makes a stream from the process of h to the listener.
func (l *listener) connect(h *Host) *conn {
	there := newPipe(h.machine, l.host.machine, h.net)
	back := newPipe(l.host.machine, h.machine, h.net)
	client := &conn{host: h, local: h.freePort(), remote: l.local, out: there, in: back}
	server := &conn{host: l.host, local: l.local, remote: client.local, out: back, in: there}
	client.peer, server.peer = server, client
	client.host.conns[client] = struct{}{}
	server.host.conns[server] = struct{}{}
	l.backlog = append(l.backlog, server)
	l.ready.broadcast()
	return client
}

func (l *listener) Accept() (net.Conn, error) {
	n := l.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
		case !l.host.frozen && len(l.backlog) > 0:
			c := l.backlog[0]
			l.backlog = l.backlog[1:]
			n.changed.broadcast()
			return c, nil
		}
		n.wait(&l.ready, nil)
	}
}

// Close resets the streams that nobody has accepted, as a kernel does.
func (l *listener) Close() error {
	l.host.net.mu.Lock()
	defer l.host.net.mu.Unlock()
	if l.closed {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	l.close()
	return nil
}

func (l *listener) close() {
	l.closed = true
	delete(l.host.listeners, l.local.Port())
	for _, c := range l.backlog {
		c.abort()
	}
	l.backlog = nil
	l.ready.broadcast()
	l.host.net.changed.broadcast()
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.local) }
