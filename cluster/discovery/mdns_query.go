package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// The querying half of hashicorp/mdns is not used: it needs a default route, does
// not end with its context, and leaves sockets to the garbage collector.

const (
	mdnsPort = 5353
	// mdnsHops tells receivers that a packet has crossed no router (RFC 6762, section 11).
	mdnsHops = 255
	// maxAnswers bounds what a hostile network can make one Find collect.
	maxAnswers = 1024
)

// queryAll asks on all networks at once. It fails only if it could ask on none.
func (d *MDNSDiscovery) queryAll(ctx context.Context, networks []network, cluster string) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTimeUp)
	defer cancel()
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		failed  []error
		asked   bool
		seen    = make(map[netip.AddrPort]bool)
		answers []netip.AddrPort
	)
	collect := func(answer netip.AddrPort) {
		mu.Lock()
		defer mu.Unlock()
		if !seen[answer] && len(answers) < maxAnswers {
			seen[answer] = true
			answers = append(answers, answer)
		}
	}
	ask := func(open func(*net.Interface) (*querySocket, error), iface net.Interface) {
		wait.Go(func() {
			err := query(ctx, open, &iface, cluster, collect)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
				return
			}
			asked = true
		})
	}
	for _, n := range networks {
		if n.v4 {
			ask(openIPv4, n.iface)
		}
		if n.v6 {
			ask(openIPv6, n.iface)
		}
	}
	wait.Wait()
	if ctx.Err() != nil && context.Cause(ctx) != errTimeUp {
		return answers, ctx.Err()
	}
	err := errors.Join(failed...)
	if !asked {
		return nil, err
	}
	if err != nil {
		d.logger.DebugContext(ctx, "cannot ask by mDNS on some interface", "error", err)
	}
	return answers, nil
}

// errTimeUp tells the regular end of a query from the caller's own.
var errTimeUp = errors.New("discovery: query is over")

// query sends one question on iface, as a one-shot querier (RFC 6762, section 5.1),
// and hands answers to collect until ctx ends.
func query(ctx context.Context, open func(*net.Interface) (*querySocket, error), iface *net.Interface,
	cluster string, collect func(netip.AddrPort)) error {
	socket, err := open(iface)
	if err != nil {
		return fmt.Errorf("discovery: cannot ask by mDNS on %s: %w", iface.Name, err)
	}
	defer socket.conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = socket.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	id := uint16(rand.Uint32()) // echoed in the answers, which keeps off blind forgeries
	packet, err := newQuestion(id)
	if err != nil {
		return fmt.Errorf("discovery: cannot encode the mDNS question: %w", err)
	}
	if _, err := socket.conn.WriteToUDPAddrPort(packet, socket.group); err != nil {
		return fmt.Errorf("discovery: cannot ask by mDNS on %s: %w", iface.Name, err)
	}
	buffer := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := socket.conn.ReadFromUDPAddrPort(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("discovery: cannot read mDNS answers on %s: %w", iface.Name, err)
		}
		for _, answer := range parseAnswer(buffer[:n], id, cluster, from.Addr().Zone()) {
			collect(answer)
		}
	}
}

// querySocket sends to a multicast group from a port of its own, where it gets the
// answers.
type querySocket struct {
	conn  *net.UDPConn
	group netip.AddrPort
}

func openIPv4(iface *net.Interface) (*querySocket, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(conn)
	// Loopback of multicast lets nodes on one host find each other.
	err = errors.Join(p.SetMulticastInterface(iface), p.SetMulticastLoopback(true), p.SetMulticastTTL(mdnsHops))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	group := netip.AddrFrom4([4]byte{224, 0, 0, 251})
	return &querySocket{conn, netip.AddrPortFrom(group, mdnsPort)}, nil
}

func openIPv6(iface *net.Interface) (*querySocket, error) {
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{})
	if err != nil {
		return nil, err
	}
	p := ipv6.NewPacketConn(conn)
	err = errors.Join(p.SetMulticastInterface(iface), p.SetMulticastLoopback(true), p.SetMulticastHopLimit(mdnsHops))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	group := netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0xfb}).WithZone(iface.Name)
	return &querySocket{conn, netip.AddrPortFrom(group, mdnsPort)}, nil
}
