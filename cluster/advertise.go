package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// errNoAdvertiseAddress says that a node which listens on all addresses has none
// that others could reach it at.
var errNoAdvertiseAddress = errors.New("no network interface that is up has an address others could use: set the address to advertise (TROUPE_ADVERTISE), or listen on 127.0.0.1 to stay on this machine")

// host is what the system says of its addresses. Tests have others.
type host struct {
	// addresses are those of the interfaces, without loopback, in the order of the system.
	addresses func() ([]hostAddress, error)

	// source is where packets to another address would come from.
	source func(to netip.AddrPort) (netip.Addr, error)
}

// hostAddress is an address of an interface.
type hostAddress struct {
	netip.Addr
	device string
	idle   bool // the interface leads nowhere now
}

// contact is an address where others may be.
type contact struct {
	netip.AddrPort
	told bool // by those who are there, and not by the user
}

func systemHost() host { return host{addresses: interfaceAddresses, source: sourceOf} }

// interfaceAddresses implements host.addresses.
func interfaceAddresses() ([]hostAddress, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []hostAddress
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		// A bridge without members, such as docker0 without containers, is up but not running.
		idle := i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0
		addresses, err := i.Addrs()
		if err != nil {
			continue // the interface has gone meanwhile
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, hostAddress{prefix.Addr().Unmap(), i.Name, idle})
			}
		}
	}
	return all, nil
}

// sourceOf implements host.source. It sends nothing: to connect a packet socket is to ask
// for the route.
func sourceOf(to netip.AddrPort) (netip.Addr, error) {
	conn, err := (&net.Dialer{Control: preferLasting}).Dial("udp", to.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	from, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return from.Addr().Unmap(), err
}

// usable returns the addresses that others could reach, the best first: those of real
// interfaces before those of bridges for containers and virtual machines, private ones
// (RFC 1918, RFC 4193) before public ones, then IPv4 before IPv6. Link-local ones are no
// use: they mean nothing without the name of an interface. Nor are those with which a host
// of an IPv6 network translates IPv4: all such hosts have the same.
func (h host) usable(onlyIPv4 bool) ([]netip.Addr, error) {
	all, err := h.addresses()
	if err != nil {
		return nil, err
	}
	rank := func(a hostAddress) (r int) {
		if isBridge(a.device) {
			r += 4
		}
		if !a.IsPrivate() {
			r += 2
		}
		if !a.Is4() {
			r++
		}
		return r
	}
	translated := netip.MustParsePrefix("192.0.0.0/29") // 464XLAT (RFC 7335)
	all = slices.DeleteFunc(slices.Clone(all), func(a hostAddress) bool {
		return a.idle || !a.IsGlobalUnicast() || translated.Contains(a.Addr) || onlyIPv4 && !a.Is4()
	})
	slices.SortStableFunc(all, func(a, b hostAddress) int { return cmp.Compare(rank(a), rank(b)) })
	ips := make([]netip.Addr, len(all))
	for i, a := range all {
		ips[i] = a.Addr
	}
	return ips, nil
}

// isBridge tells by its name whether an interface most likely leads to containers or
// virtual machines of this host alone.
func isBridge(device string) bool {
	return slices.ContainsFunc([]string{
		"docker", "br-", "veth", "virbr", "podman", "cni", "lxcbr", "lxdbr", "vboxnet", "vmnet", "vEthernet",
	}, func(prefix string) bool { return strings.HasPrefix(device, prefix) })
}

// has reports whether an address is one of the host, loopback included.
func (h host) has(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	all, err := h.addresses()
	return err == nil && among(all, ip)
}

func among(all []hostAddress, ip netip.Addr) bool {
	return slices.ContainsFunc(all, func(a hostAddress) bool { return a.Addr == ip })
}

// choose returns the address where others reach a node that listens on all: the one from
// which most of the contacts are reached, or else the rest of the world, or else the first
// that is usable. Contacts are asked for if there is a choice.
func (h host) choose(contacts func() []contact, onlyIPv4 bool) (netip.Addr, error) {
	own, err := h.usable(onlyIPv4)
	switch {
	case err != nil:
		return netip.Addr{}, err
	case len(own) == 0:
		return netip.Addr{}, errNoAdvertiseAddress
	case len(own) == 1:
		return own[0], nil
	}
	if ip, ok := h.routed(contacts(), own); ok {
		return ip, nil
	}
	return own[0], nil
}

// routed returns which of the own addresses the routes say. A contact at one of them is
// this node itself, or a neighbour on this host; what a neighbour says does not count: it
// may have been wrong.
func (h host) routed(contacts []contact, own []netip.Addr) (netip.Addr, bool) {
	var here, there []netip.AddrPort
	for _, c := range contacts {
		switch {
		case !slices.Contains(own, c.Addr()):
			there = append(there, c.AddrPort)
		case !c.told:
			here = append(here, c.AddrPort)
		}
	}
	for _, group := range [][]netip.AddrPort{there, here, outsideIPv4(), outsideIPv6()} {
		if ip, ok := h.elect(group, own); ok {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// elect returns the address from which most of the others are reached, of equals the
// better one.
func (h host) elect(others []netip.AddrPort, own []netip.Addr) (best netip.Addr, ok bool) {
	votes := make(map[netip.Addr]int)
	for _, to := range others {
		if from, err := h.source(to); err == nil {
			votes[from.WithZone("")]++
		}
	}
	for _, ip := range own {
		if votes[ip] > votes[best] {
			best, ok = ip, true
		}
	}
	return best, ok
}

// The rest of the world: addresses for documentation (RFC 5737, RFC 3849), to which only
// the default route leads.
func outsideIPv4() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:7420"), netip.MustParseAddrPort("203.0.113.1:7420")}
}

func outsideIPv6() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:7420")}
}

// advertise decides where others reach this node: where the user says, or it listens, or
// at the address of its host that leads to them.
func (n *Node) advertise(ctx context.Context, c *config) error {
	if c.Advertise != "" {
		if _, err := netip.ParseAddrPort(c.Advertise); err != nil {
			return invalid("the address to advertise must be ip:port: %w", err)
		}
		n.address = c.Advertise
		return nil
	}
	listening, err := netip.ParseAddrPort(n.port.Addr().String())
	if err != nil {
		return fmt.Errorf("cluster: address to advertise for %s: %w", n.port.Addr(), err)
	}
	ip := listening.Addr().Unmap()
	if ip.IsUnspecified() {
		onlyIPv4 := listening.Addr().Is4()
		if ip, err = n.host.choose(func() []contact { return n.finder.contacts(ctx) }, onlyIPv4); err != nil {
			return fmt.Errorf("cluster: address to advertise for %s: %w", listening, err)
		}
		n.chosen.Store(&chosenAddress{ip: ip, port: listening.Port(), onlyIPv4: onlyIPv4})
	}
	n.address = netip.AddrPortFrom(ip, listening.Port()).String()
	return nil
}

// appendContact leaves out what is no IP address with a port: names cannot be asked for.
func appendContact(to []contact, address string, told bool) []contact {
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Addr().Zone() != "" {
		return to
	}
	return append(to, contact{netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), told})
}
