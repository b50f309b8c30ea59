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
	// The context bounds the opening only. The caller closes both, in any order;
	// closing unblocks their calls, which then return an error that is
	// net.ErrClosed for errors.Is.
	Listen(ctx context.Context, address string) (net.Listener, net.PacketConn, error)

	// Dial opens a stream to "host:port". The context bounds the dialing only.
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
