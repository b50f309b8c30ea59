package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// requireMulticast skips the test where a multicast packet does not come back to
// its own host.
func requireMulticast(t *testing.T) {
	t.Helper()
	networks, err := MDNS().networks()
	if err != nil {
		t.Fatal(err)
	}
	if len(networks) == 0 {
		t.Skip("MDNS IS NOT TESTED: no interface is capable of multicast")
	}
	for _, n := range networks {
		if n.v4 && carriesMulticast(&n.iface) {
			return
		}
	}
	t.Skip("MDNS IS NOT TESTED: multicast does not come back to this host")
}

func carriesMulticast(iface *net.Interface) bool {
	group := netip.MustParseAddr("239.255.71.71") // site-local (RFC 2365)
	listener, err := net.ListenMulticastUDP("udp4", iface, &net.UDPAddr{IP: group.AsSlice()})
	if err != nil {
		return false
	}
	defer listener.Close()
	socket, err := openIPv4(iface)
	if err != nil {
		return false
	}
	defer socket.conn.Close()
	port := uint16(listener.LocalAddr().(*net.UDPAddr).Port)
	if _, err := socket.conn.WriteToUDPAddrPort([]byte("?"), netip.AddrPortFrom(group, port)); err != nil {
		return false
	}
	_ = listener.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, _, err = listener.ReadFromUDPAddrPort(make([]byte, 1))
	return err == nil
}

func TestMDNSWithoutNetworkSaysSoOnceAndGoesOn(t *testing.T) {
	d := MDNS()
	d.interfaces = func() ([]net.Interface, error) {
		return []net.Interface{{Index: 1, Flags: net.FlagUp | net.FlagMulticast | net.FlagLoopback}, {Index: 2, Flags: net.FlagMulticast}}, nil
	}
	if _, err := d.Find(t.Context(), "cluster"); !errors.Is(err, ErrNoMulticast) {
		t.Errorf("first Find: got %v, want ErrNoMulticast", err)
	}
	if err := d.Announce(t.Context(), "cluster", "node", "192.0.2.1:7000"); !errors.Is(err, ErrNoMulticast) {
		t.Errorf("Announce: got %v, want ErrNoMulticast", err)
	}
	if found, err := d.Find(t.Context(), "cluster"); err != nil || len(found) != 0 {
		t.Errorf("second Find = %q, %v; want nothing", found, err)
	}
	if err := d.Withdraw(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMDNSFollowsInterfaces(t *testing.T) {
	requireMulticast(t)
	there := false
	d := MDNS(WithTimeout(time.Millisecond))
	d.interfaces = func() ([]net.Interface, error) {
		if !there {
			return nil, nil
		}
		return net.Interfaces()
	}
	if err := d.Announce(t.Context(), "cluster", "node", "192.0.2.1:7000"); !errors.Is(err, ErrNoMulticast) {
		t.Fatal(err)
	}
	defer d.Withdraw(context.Background())
	for _, there = range []bool{true, false, true} {
		// Without a network, the first Find says so.
		if _, err := d.Find(t.Context(), "cluster"); err != nil && !errors.Is(err, ErrNoMulticast) {
			t.Fatal(err)
		}
		if serving := len(d.servers) > 0; serving != there {
			t.Errorf("network there: %v, answering: %v", there, serving)
		}
	}
}

func TestMDNSFindEndsWithContext(t *testing.T) {
	requireMulticast(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := MDNS(WithTimeout(time.Hour)).Find(ctx, "cluster"); ended <- err }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestMDNSRefusesUnreachableAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:7000", "[::1]:7000", "localhost:7000", "255.255.255.255:7000"} {
		if err := MDNS().Announce(t.Context(), "cluster", "node", address); !errors.Is(err, ErrBadAddress) {
			t.Errorf("Announce at %s: got %v, want ErrBadAddress", address, err)
		}
	}
}

// announcement returns the packet with which a node answers question 7.
func announcement(t testing.TB, cluster, node, address string, change func(*dns.Msg)) []byte {
	t.Helper()
	zone, err := newZone(cluster, node, netip.MustParseAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	answer := &dns.Msg{MsgHdr: dns.MsgHdr{Id: 7, Response: true}, Compress: true}
	answer.Answer = zone.Records(dns.Question{Name: mdnsDomain, Qtype: dns.TypePTR})
	if change != nil {
		change(answer)
	}
	packet, err := answer.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func TestMDNSAnswersSurviveTheWire(t *testing.T) {
	for _, want := range []string{"192.0.2.1:7000", "[2001:db8::1]:7000", "[fe80::1%eth9]:7000"} {
		got := parseAnswer(announcement(t, "cluster", "node.one", want, nil), 7, "cluster", "eth9")
		if !slices.Equal(got, []netip.AddrPort{netip.MustParseAddrPort(want)}) {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestMDNSDropsHostileAnswers(t *testing.T) {
	const good = "192.0.2.1:7000"
	each := func(change func(dns.RR)) func(*dns.Msg) {
		return func(m *dns.Msg) {
			for _, record := range m.Answer {
				change(record)
			}
		}
	}
	for name, packet := range map[string][]byte{
		"other cluster":  announcement(t, "other", "node", good, nil),
		"other question": announcement(t, "cluster", "node", good, func(m *dns.Msg) { m.Id = 8 }),
		"a question":     announcement(t, "cluster", "node", good, func(m *dns.Msg) { m.Response = false }),
		"loopback":       announcement(t, "cluster", "node", "127.0.0.1:7000", nil),
		"unspecified":    announcement(t, "cluster", "node", "0.0.0.0:7000", nil),
		"multicast":      announcement(t, "cluster", "node", "224.0.0.1:7000", nil),
		"mapped loopback": announcement(t, "cluster", "node", good, func(m *dns.Msg) {
			for i, record := range m.Answer {
				if _, ok := record.(*dns.A); ok {
					header := *record.Header()
					header.Rrtype = dns.TypeAAAA
					m.Answer[i] = &dns.AAAA{Hdr: header, AAAA: net.ParseIP("::ffff:127.0.0.1")}
				}
			}
		}),
		"port 0": announcement(t, "cluster", "node", good, each(func(r dns.RR) {
			if service, ok := r.(*dns.SRV); ok {
				service.Port = 0
			}
		})),
		"other service": announcement(t, "cluster", "node", good, each(func(r dns.RR) {
			if name := r.Header(); name.Rrtype != dns.TypeA {
				name.Name = "node._other._tcp.local."
			}
		})),
		"first pair counts": announcement(t, "cluster", "node", good, each(func(r dns.RR) {
			if text, ok := r.(*dns.TXT); ok {
				text.Txt = []string{"Cluster=other", "cluster=cluster"}
			}
		})),
		"empty":     nil,
		"truncated": announcement(t, "cluster", "node", good, nil)[:40],
	} {
		if got := parseAnswer(packet, 7, "cluster", ""); len(got) != 0 {
			t.Errorf("%s: accepted %v", name, got)
		}
	}
}

func TestMDNSBoundsWhatOnePacketBrings(t *testing.T) {
	flood := announcement(t, "cluster", "node", "192.0.2.1:7000", func(m *dns.Msg) {
		for _, record := range slices.Clone(m.Answer) {
			for range 99 {
				m.Answer = append(m.Answer, record)
			}
		}
	})
	if got := parseAnswer(flood, 7, "cluster", ""); len(got) != maxAnswers {
		t.Errorf("got %d addresses, want %d", len(got), maxAnswers)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(announcement(f, "cluster", "node", "192.0.2.1:7000", nil))
	f.Add(announcement(f, "cluster", "node", "[fe80::1]:7000", nil))
	f.Add([]byte{0, 7, 0x80})
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, address := range parseAnswer(packet, 7, "cluster", "eth0") {
			if !routable(address.Addr()) || checkAddress(address.String()) != nil {
				t.Errorf("accepted %s", address)
			}
		}
	})
}

func FuzzParseTXT(f *testing.F) {
	f.Add("cluster=stage", "")
	f.Add("CLUSTER", "cluster=stage")
	f.Add("=", "\\000=x")
	f.Fuzz(func(t *testing.T, first, second string) {
		if cluster, ok := parseTXT([]string{first, second}); ok && checkName(cluster) != nil {
			t.Errorf("accepted cluster %q", cluster)
		}
	})
}
