package cluster

import (
	"net"
	"net/netip"
	"testing"
)

func TestAdvertisedAddressIsTheOneListenedAt(t *testing.T) {
	got, err := advertiseAddress(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7000})
	if want := netip.MustParseAddrPort("127.0.0.1:7000"); got != want || err != nil {
		t.Errorf("advertiseAddress = %v, %v, want %v", got, err, want)
	}
}

func TestAdvertisedAddressOfAnUnspecifiedOneCanBeListenedAt(t *testing.T) {
	l, p, err := IPNetwork{}.Listen(t.Context(), "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer p.Close()
	got, err := advertiseAddress(l.Addr())
	if err != nil {
		t.Skipf("NO NETWORK HERE: %v", err)
	}
	if !got.Addr().Is4() || got.Addr().IsUnspecified() || got.Addr().IsLoopback() {
		t.Errorf("advertiseAddress(%v) = %v", l.Addr(), got)
	}
	c, err := IPNetwork{}.Dial(t.Context(), got.String())
	if err != nil {
		t.Fatalf("the advertised address cannot be dialed: %v", err)
	}
	c.Close()
}

func TestBestAddress(t *testing.T) {
	tests := []struct {
		name       string
		candidates []string
		onlyIPv4   bool
		want       string
	}{
		{"the first of equals", []string{"192.168.1.2", "10.0.0.1"}, false, "192.168.1.2"},
		{"private before public", []string{"8.8.8.8", "fd00::1", "2001:4860::1"}, false, "fd00::1"},
		{"IPv4 before IPv6", []string{"fd00::1", "10.0.0.1"}, false, "10.0.0.1"},
		{"public when there is no other", []string{"2001:4860::1", "8.8.8.8"}, false, "8.8.8.8"},
		{"no IPv6 for an IPv4 listener", []string{"fd00::1", "8.8.8.8"}, true, "8.8.8.8"},
		{"nothing local to a link", []string{"fe80::1", "169.254.1.1", "127.0.0.1", "::1"}, false, ""},
		{"nothing at all", nil, false, ""},
		{"nothing for IPv4", []string{"fd00::1"}, true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var candidates []netip.Addr
			for _, c := range test.candidates {
				candidates = append(candidates, netip.MustParseAddr(c))
			}
			got, ok := bestAddress(candidates, test.onlyIPv4)
			if ok != (test.want != "") || ok && got.String() != test.want {
				t.Errorf("bestAddress = %v, %v, want %q", got, ok, test.want)
			}
		})
	}
}
