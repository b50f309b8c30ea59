package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// errNoAdvertiseAddress says that a node which listens on all addresses has none
// that others could reach it at.
var errNoAdvertiseAddress = errors.New("no network interface that is up has an address others could use: set the address to advertise, or listen on 127.0.0.1 to stay on this machine")

// advertiseAddress returns the address at which others reach a node that listens
// at this one: the same, or, if it is unspecified, that of the first interface of
// the machine that is up and not loopback. Private addresses (RFC 1918, RFC 4193)
// go before public ones, then IPv4 before IPv6. Link-local ones are no use: they
// mean nothing without the name of an interface.
func advertiseAddress(listening net.Addr) (netip.AddrPort, error) {
	addr, err := netip.ParseAddrPort(listening.String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("cluster: address to advertise for %s: %w", listening, err)
	}
	if !addr.Addr().IsUnspecified() {
		return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), nil
	}
	candidates, err := interfaceAddresses()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("cluster: address to advertise for %s: %w", listening, err)
	}
	ip, ok := bestAddress(candidates, addr.Addr().Is4())
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("cluster: address to advertise for %s: %w", listening, errNoAdvertiseAddress)
	}
	return netip.AddrPortFrom(ip, addr.Port()), nil
}

// interfaceAddresses returns the addresses of the interfaces that are up and not
// loopback, in the order of the system.
func interfaceAddresses() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, i := range interfaces {
		// A bridge without members, such as an idle docker0, is up but not running.
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // the interface has gone meanwhile
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				ips = append(ips, prefix.Addr().Unmap())
			}
		}
	}
	return ips, nil
}

func bestAddress(candidates []netip.Addr, onlyIPv4 bool) (netip.Addr, bool) {
	usable := slices.DeleteFunc(slices.Clone(candidates), func(ip netip.Addr) bool {
		return !ip.IsGlobalUnicast() || onlyIPv4 && !ip.Is4()
	})
	if len(usable) == 0 {
		return netip.Addr{}, false
	}
	rank := func(ip netip.Addr) int {
		r := 0
		if !ip.IsPrivate() {
			r += 2
		}
		if !ip.Is4() {
			r++
		}
		return r
	}
	return slices.MinFunc(usable, func(a, b netip.Addr) int { return cmp.Compare(rank(a), rank(b)) }), true
}
