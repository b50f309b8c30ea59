package discovery

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// newResolver returns a resolver that asks a DNS server with the given records.
func newResolver(t *testing.T, records ...string) *net.Resolver {
	t.Helper()
	zone := make(map[dns.Question][]dns.RR)
	for _, text := range records {
		record, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		h := record.Header()
		question := dns.Question{Name: h.Name, Qtype: h.Rrtype, Qclass: h.Class}
		zone[question] = append(zone[question], record)
	}
	known := func(name string) bool {
		for question := range zone {
			if question.Name == name {
				return true
			}
		}
		return false
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, request *dns.Msg) {
		answer := new(dns.Msg).SetReply(request)
		answer.Answer = zone[request.Question[0]]
		if !known(request.Question[0].Name) {
			answer.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(answer)
	})
	return serve(t, handler)
}

// serve starts a DNS server, and returns a resolver that asks it.
func serve(t *testing.T, handler dns.Handler) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: handler}
	started, ended := make(chan struct{}), make(chan error, 1)
	server.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(), <-ended); err != nil {
			t.Errorf("DNS server: %v", err)
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestDNSFinds(t *testing.T) {
	resolver := newResolver(t,
		"both.example. 1 IN A 192.0.2.1", "both.example. 1 IN AAAA 2001:db8::1",
		"_closed._tcp.example. 1 IN SRV 0 0 1 .",
		"_half._tcp.example. 1 IN SRV 0 0 7000 both.example.", "_half._tcp.example. 1 IN SRV 0 0 7001 gone.example.",
	)
	for name, want := range map[string][]string{
		"both.example.:7000":     {"192.0.2.1:7000", "[2001:db8::1]:7000"},
		"missing.example.:7000":  nil,
		"_missing._tcp.example.": nil,
		"_closed._tcp.example.":  nil,
		"_half._tcp.example.":    {"192.0.2.1:7000", "[2001:db8::1]:7000"},
	} {
		found, err := DNS(name, WithResolver(resolver)).Find(t.Context(), "cluster")
		slices.Sort(found)
		if err != nil || !slices.Equal(found, want) {
			t.Errorf("%s: Find = %q, %v; want %q", name, found, err, want)
		}
	}
}

func TestDNSReportsMalformedNames(t *testing.T) {
	for _, name := range []string{"", "example", "example:0", "_troupe tcp", "_a:7000"} {
		if _, err := DNS(name).Find(t.Context(), "cluster"); !errors.Is(err, ErrBadAddress) {
			t.Errorf("DNS(%q): got %v, want ErrBadAddress", name, err)
		}
	}
}

func TestStaticResolvesHostsAndReportsTheOnesThatFail(t *testing.T) {
	d := Static("nobody:port", "gone.example.:7000", "seed.example.:7000", "[2001:db8::2]:7000", "192.0.2.1:7000")
	d.resolver = newResolver(t, "seed.example. 1 IN A 192.0.2.1")
	found, err := d.Find(t.Context(), "cluster")
	if want := []string{"192.0.2.1:7000", "[2001:db8::2]:7000"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	var failed *net.DNSError
	if !errors.Is(err, ErrBadAddress) || !errors.As(err, &failed) {
		t.Errorf("got %v, want ErrBadAddress and a net.DNSError", err)
	}
}
