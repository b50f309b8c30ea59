package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/security"
)

// chosenAddress is an address of its host that a node has chosen to advertise, since the
// user said nothing.
type chosenAddress struct {
	ip       netip.Addr
	port     uint16
	onlyIPv4 bool
	doubted  atomic.Bool // it was warned of
}

// String returns the address.
func (c *chosenAddress) String() string { return netip.AddrPortFrom(c.ip, c.port).String() }

// whereabouts are the places where other nodes were met last: the other ends of
// connections that they have proved to be theirs.
type whereabouts struct {
	mu     sync.Mutex
	places map[string]netip.Addr // by node
	warned map[string]bool       // by node and address
}

// maxWhereabouts bounds what is remembered of nodes, most of which are gone then.
const maxWhereabouts = 4096

func (w *whereabouts) note(node string, place netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.places) >= maxWhereabouts || w.places == nil {
		w.places = make(map[string]netip.Addr)
	}
	w.places[node] = place
}

// of returns where a node was met last; it is not valid if that is not known.
func (w *whereabouts) of(node string) netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.places[node]
}

// first reports whether it is asked for the first time about an address of a node.
func (w *whereabouts) first(node, address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := node + " " + address
	if w.warned[key] {
		return false
	}
	if len(w.warned) >= maxWhereabouts || w.warned == nil {
		w.warned = make(map[string]bool)
	}
	w.warned[key] = true
	return true
}

// welcomed is told of each connection that another node has opened.
func (n *Node) welcomed(conn *tls.Conn) {
	if peer := n.met(conn); peer != "" {
		n.seenAt(peer, addrOf(conn.LocalAddr()))
	}
}

// met notes where the node at the other end of a connection is, and returns its name; ""
// for this node itself.
func (n *Node) met(conn *tls.Conn) string {
	peer, err := security.PeerOf(conn.ConnectionState())
	place := addrOf(conn.RemoteAddr())
	if err != nil || peer.Node == n.name || !place.IsValid() {
		return ""
	}
	n.whereabouts.note(peer.Node, place)
	select {
	case <-n.ready:
		if n.directory == nil {
			break
		}
		if p := n.directory.view().nodes[peer.Node]; p != nil {
			n.checkAddress(p.Member)
		}
	default: // those who join are checked then
	}
	return peer.Node
}

// isSelf reports whether a connection leads to the port of this node, under whichever of
// its host's addresses.
func (n *Node) isSelf(conn *tls.Conn) bool {
	peer, err := security.PeerOf(conn.ConnectionState())
	to, errTo := netip.ParseAddrPort(conn.RemoteAddr().String())
	own, errOwn := netip.ParseAddrPort(n.port.Addr().String())
	return errors.Join(err, errTo, errOwn) == nil && peer.Node == n.name &&
		to.Port() == own.Port() && addrOf(conn.LocalAddr()) == addrOf(conn.RemoteAddr())
}

// seenAt is told at which address of this node another one meets it. A node that has
// chosen its address itself says so if that is not the one.
func (n *Node) seenAt(peer string, ip netip.Addr) {
	c := n.chosen.Load()
	if c == nil || ip == c.ip || !ip.IsGlobalUnicast() || ip.Is4() != c.ip.Is4() || c.doubted.Swap(true) {
		return
	}
	n.log.Warn("another node meets this one at an address that it does not advertise; if others cannot reach the advertised one, set the other one",
		"peer", peer, "met_at", ip, "advertised", c.String(), "set", "TROUPE_ADVERTISE="+netip.AddrPortFrom(ip, c.port).String())
}

// checkAddress warns of a node that is elsewhere and advertises an address that leads to
// this host: what is sent to it comes back.
func (n *Node) checkAddress(m gossip.Member) {
	place := n.whereabouts.of(m.Node)
	at, err := netip.ParseAddrPort(m.Address)
	if err != nil || m.Node == n.name || !place.IsValid() || place == at.Addr() && m.Address != n.address {
		return
	}
	if n.leadsBack(at) && !n.isHere(place) && n.whereabouts.first(m.Node, m.Address) {
		n.log.Warn("a node that is elsewhere advertises an address that leads back here; set TROUPE_ADVERTISE on that node to an address where others reach it",
			"peer", m.Node, "advertised", m.Address, "met_at", place)
	}
}

// leadsBack reports whether an address is that of this node, or another one of its host.
func (n *Node) leadsBack(to netip.AddrPort) bool {
	return to.String() == n.address || n.isHere(to.Addr())
}

// isHere reports whether an address is one of this host. It is false where the network is
// not that of the system.
func (n *Node) isHere(ip netip.Addr) bool {
	_, ok := n.network.(IPNetwork)
	return ok && n.host.has(ip)
}

// explain returns the error of connecting to a node at the address that it advertises, with
// the cause if that is no good address.
func (n *Node) explain(node, address string, err error) error {
	at, parsing := netip.ParseAddrPort(address)
	if err == nil || parsing != nil || errors.Is(err, context.Canceled) || isLoopback(n.address) {
		return err
	}
	place, here := n.whereabouts.of(node), n.leadsBack(at)
	const advice = "set TROUPE_ADVERTISE on it to an address where others reach it"
	switch {
	case here && place.IsValid() && !n.isHere(place):
		return fmt.Errorf("node %s is at %s, and advertises %s, which is an address of this host; %s: %w", node, place, address, advice, err)
	case here && place.IsValid():
		return err // it runs here, or did
	case here:
		return fmt.Errorf("%s, which node %s advertises, is an address of this host; if it does not run here, %s: %w", address, node, advice, err)
	case isStranger(err):
		return fmt.Errorf("what answers at %s, which node %s advertises, is another program; if that node still runs, %s: %w", address, node, advice, err)
	case place.IsValid() && place != at.Addr():
		return fmt.Errorf("node %s advertises %s, and was met at %s; if others cannot reach it where it says, %s: %w", node, address, place, advice, err)
	}
	return err
}

// isStranger reports whether what answered is no node of this cluster.
func isStranger(err error) bool {
	var plain tls.RecordHeaderError
	return errors.Is(err, security.ErrUntrusted) || errors.Is(err, security.ErrWrongCluster) || errors.As(err, &plain)
}

// addrOf returns the IP of an address; it is not valid if there is none.
func addrOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
