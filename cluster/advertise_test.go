package cluster

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/cluster/discovery"
)

// route says from which address a network is reached.
type route struct{ to, from string }

// hostOf is a host with these interfaces, as "name address" and perhaps "idle", and routes,
// the first of which counts.
func hostOf(addresses []string, routes ...route) host {
	var own []hostAddress
	for _, a := range addresses {
		words := strings.Fields(a)
		own = append(own, hostAddress{netip.MustParseAddr(words[1]), words[0], len(words) > 2})
	}
	return host{
		addresses: func() ([]hostAddress, error) { return own, nil },
		source: func(to netip.AddrPort) (netip.Addr, error) {
			for _, a := range own {
				if a.Addr == to.Addr() {
					return a.Addr, nil
				}
			}
			for _, r := range routes {
				if netip.MustParsePrefix(r.to).Contains(to.Addr()) {
					return netip.MustParseAddr(r.from), nil
				}
			}
			return netip.Addr{}, errors.New("no route")
		},
	}
}

func contactsAt(addresses ...string) (all []contact) {
	for _, a := range addresses {
		all = append(all, contact{AddrPort: netip.MustParseAddrPort(a)})
	}
	return all
}

func toldOf(addresses ...string) (all []contact) {
	for _, a := range addresses {
		all = append(all, contact{AddrPort: netip.MustParseAddrPort(a), told: true})
	}
	return all
}

// A host as most are: the bridge of Docker comes first or last, as it likes.
var (
	docked  = []string{"docker0 172.17.0.1", "eth0 203.0.114.7"}
	dockedR = []route{{"172.17.0.0/16", "172.17.0.1"}, {"0.0.0.0/0", "203.0.114.7"}}
	twoNets = []string{"eth0 203.0.114.7", "eth1 10.0.0.7", "eth1 fd00::7", "eth0 2001:4860::7"}
	twoNetR = []route{{"10.0.0.0/24", "10.0.0.7"}, {"fd00::/64", "fd00::7"}, {"0.0.0.0/0", "203.0.114.7"}, {"::/0", "2001:4860::7"}}
)

func TestChosenAddress(t *testing.T) {
	tests := []struct {
		name      string
		addresses []string
		routes    []route
		contacts  []contact
		onlyIPv4  bool
		want      string
	}{
		{"a bridge for containers is private and leads nowhere", docked, dockedR, nil, false, "203.0.114.7"},
		{"the default route", twoNets, twoNetR, nil, false, "203.0.114.7"},
		{"the way to a contact", twoNets, twoNetR, contactsAt("10.0.0.9:7420"), false, "10.0.0.7"},
		{"the way to most contacts", twoNets, twoNetR, contactsAt("198.18.0.1:1", "10.0.0.9:7420", "10.0.0.10:7420"), false, "10.0.0.7"},
		{"the way to a contact that somebody tells of", twoNets, twoNetR, toldOf("10.0.0.9:7420"), false, "10.0.0.7"},
		{"a contact that has IPv6", twoNets, twoNetR, contactsAt("[fd00::9]:7420"), false, "fd00::7"},
		{"no IPv6 for an IPv4 listener", twoNets, twoNetR, contactsAt("[fd00::9]:7420"), true, "203.0.114.7"},
		{"one of its own addresses among the contacts", twoNets, twoNetR, contactsAt("10.0.0.7:7420"), false, "10.0.0.7"},
		{"others count more than that", twoNets, twoNetR, contactsAt("10.0.0.7:7420", "198.18.0.1:7420"), false, "203.0.114.7"},
		{"a neighbour that was wrong", docked, dockedR, toldOf("172.17.0.1:7420"), false, "203.0.114.7"},
		{"contacts on loopback say nothing", docked, dockedR, contactsAt("127.0.0.1:7420", "[::1]:7420"), false, "203.0.114.7"},
		{"contacts without a route say nothing", twoNets, twoNetR[:2], contactsAt("198.18.0.1:7420"), false, "10.0.0.7"},
		{"no default route", []string{"docker0 172.17.0.1", "eth0 10.77.0.1"}, nil, nil, false, "10.77.0.1"},
		{"no default route, and public", []string{"br-0123456789ab 172.18.0.1", "eth0 203.0.114.7"}, nil, nil, false, "203.0.114.7"},
		{"the default route of IPv6 alone", []string{"docker0 172.17.0.1", "eth0 2001:4860::7", "eth0 fd00::7"}, []route{{"::/0", "2001:4860::7"}}, nil, false, "2001:4860::7"},
		{"an IPv6 network with translation", []string{"en0 192.0.0.2", "en0 2001:4860::7"}, []route{{"0.0.0.0/0", "192.0.0.2"}, {"::/0", "2001:4860::7"}}, nil, false, "2001:4860::7"},
		{"a route from an address that is not usable", twoNets, []route{{"0.0.0.0/0", "169.254.3.4"}}, nil, false, "10.0.0.7"},
		{"the first of equals", []string{"a 192.168.1.2", "b 10.0.0.1"}, nil, nil, false, "192.168.1.2"},
		{"private before public", []string{"a 8.8.8.8", "b fd00::1", "c 2001:4860::1"}, nil, nil, false, "fd00::1"},
		{"IPv4 before IPv6", []string{"a fd00::1", "a 10.0.0.1"}, nil, nil, false, "10.0.0.1"},
		{"a bridge where there is nothing else", []string{"docker0 172.17.0.1"}, nil, nil, false, "172.17.0.1"},
		{"what leads somewhere", []string{"eth0 10.0.0.1 idle", "eth1 203.0.114.7"}, nil, nil, false, "203.0.114.7"},
		{"nothing local to a link", []string{"a fe80::1", "b 169.254.1.1"}, nil, nil, false, ""},
		{"nothing at all", nil, nil, nil, false, ""},
		{"nothing for IPv4", []string{"a fd00::1"}, nil, nil, true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := hostOf(test.addresses, test.routes...).choose(func() []contact { return test.contacts }, test.onlyIPv4)
			if (err == nil) != (test.want != "") || err == nil && got.String() != test.want {
				t.Errorf("choose = %v, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestNobodyIsAskedWhereThereIsNoChoice(t *testing.T) {
	_, err := hostOf([]string{"eth0 10.0.0.1", "eth0 fe80::1"}).choose(func() []contact {
		t.Error("contacts were asked for")
		return nil
	}, false)
	if err != nil {
		t.Error(err)
	}
}

func TestTheAddressOfThisHostCanBeListenedAt(t *testing.T) {
	l, p, err := IPNetwork{}.Listen(t.Context(), "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer p.Close()
	got, err := systemHost().choose(func() []contact { return nil }, true)
	if err != nil {
		t.Skipf("NO NETWORK HERE: %v", err)
	}
	if !got.Is4() || got.IsUnspecified() || got.IsLoopback() {
		t.Errorf("choose = %v", got)
	}
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	c, err := IPNetwork{}.Dial(t.Context(), netip.AddrPortFrom(got, port).String())
	if err != nil {
		t.Fatalf("the address cannot be dialed: %v", err)
	}
	c.Close()
}

func TestSourceOfSendsNothingAndKnowsLoopback(t *testing.T) {
	got, err := sourceOf(netip.MustParseAddrPort("127.0.0.1:9"))
	if err != nil || got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("sourceOf = %v, %v", got, err)
	}
}

// registry is a discovery of a user, in which each node enters its address.
type registry struct{ Discovery }

func (registry) Find(context.Context, string) ([]string, error) {
	return []string{"172.17.0.1:7420"}, nil
}

func TestWhatOthersHaveAnnouncedIsNotWhatTheUserSays(t *testing.T) {
	f := newFinder(new(Node), []Discovery{registry{}, discovery.Static("10.0.0.7:7420"), discovery.DNS("10.0.0.8:7420")})
	all := f.contacts(t.Context())
	if len(all) != 3 {
		t.Errorf("the contacts are %v", all)
	}
	for _, c := range all {
		if announced := c.Addr() == netip.MustParseAddr("172.17.0.1"); c.told != announced {
			t.Errorf("that %v is a contact was announced: %t", c, c.told)
		}
	}
	f.wg.Wait()
}
