package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Network is the seam between a node and what carries its bytes. Two
// implementations ship: [IPNetwork], which is TCP and UDP, and the in-memory
// network of package clustertest. Package networktest holds the conformance suite
// for further ones. Methods may be called concurrently.
type Network interface {
	// Listen opens one address for streams and packets, the same host and port
	// for both. The address is "host:port"; port 0 picks one that is free for both.
	// The context bounds the opening only: it is an error if it has ended, and so are an
	// address that is malformed and one that is listened at. The caller closes both, in any
	// order; closing unblocks their calls, which then return an error that is
	// net.ErrClosed for errors.Is, and so do later ones. Then the address is free again.
	//
	// The Addr of the listener, and the addresses of its streams, are *net.TCPAddr; the
	// LocalAddr of the packets, and where they come from, *net.UDPAddr. A packet arrives
	// whole, with the address to answer to, or not at all: one to nobody is no error. WriteTo
	// keeps nothing of its argument.
	Listen(ctx context.Context, address string) (net.Listener, net.PacketConn, error)

	// Dial opens a stream to "host:port". The context bounds the dialing only. It returns an
	// error for a malformed address, a context that has ended, and, without waiting for the
	// context, where nobody listens.
	//
	// A stream keeps the promises of net.Conn and of TCP, at both ends: bytes arrive once and
	// in order, those of concurrent calls of Write are not mixed, and a Write waits while
	// nobody reads, so that 16 MiB are never all under way. Close is seen at the other end as
	// io.EOF after the last byte, its writes fail sooner or later, and calls at this end
	// return net.ErrClosed. A deadline, also one that is set while a call waits, ends it
	// with an error that is os.ErrDeadlineExceeded, and a net.Error with Timeout; a Write
	// says how much of it was sent. Lifting the deadline lets the stream go on.
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// IPNetwork is the [Network] of the operating system: TCP with keep-alive, so that
// a connection to a host that vanished breaks within half a minute, and UDP. The
// zero value is ready to use.
type IPNetwork struct{}

func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}
}

// freePortAttempts is how many free TCP ports are tried for one that is free for
// UDP as well.
const freePortAttempts = 32

// Listen implements [Network]. A host of "" or "::" means all addresses of the
// machine, "0.0.0.0" all of IPv4; a host name means its first address.
func (IPNetwork) Listen(ctx context.Context, address string) (net.Listener, net.PacketConn, error) {
	config := net.ListenConfig{KeepAliveConfig: keepAlive()}
	l, p, err := listenBoth(ctx, &config, address, config.ListenPacket)
	if err != nil {
		return nil, nil, fmt.Errorf("cluster: cannot listen on %q, give an address of this machine as host:port, with port 0 for any free one: %w", address, err)
	}
	return l, p, nil
}

// Dial implements [Network]. A host name is resolved, and its addresses are tried
// in turn.
func (IPNetwork) Dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{KeepAliveConfig: keepAlive()}).DialContext(ctx, "tcp", address)
}

type listenPacketFunc func(ctx context.Context, network, address string) (net.PacketConn, error)

// listenBoth listens for TCP, then for UDP on the port that TCP got. Ports tried
// in vain are held until the end, so that they are not picked again.
func listenBoth(ctx context.Context, config *net.ListenConfig, address string, listenPacket listenPacketFunc) (net.Listener, net.PacketConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, err
	}
	family := "" // IPv4 and IPv6 where the host is unspecified
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		family = "4"
	}
	attempts := 1
	if port == "0" || port == "" {
		attempts = freePortAttempts
	}
	var failures error
	for range attempts {
		l, err := config.Listen(ctx, "tcp"+family, address)
		if err != nil {
			return nil, nil, errors.Join(failures, err)
		}
		p, err := listenPacket(ctx, "udp"+family, l.Addr().String())
		if err == nil {
			return l, p, nil
		}
		defer l.Close()
		failures = err
	}
	return nil, nil, failures
}
