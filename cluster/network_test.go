package cluster

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestIPNetworkExplainsAnUnusableAddress(t *testing.T) {
	for _, address := range []string{"192.0.2.1:0", "no port", "127.0.0.1:http/2", "host.invalid:0"} {
		_, _, err := IPNetwork{}.Listen(t.Context(), address)
		if err == nil {
			t.Errorf("Listen(%q) succeeds", address)
			continue
		}
		for _, want := range []string{address, "host:port"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Listen(%q): error %q does not mention %q", address, err, want)
			}
		}
	}
}

func TestListenTriesAnotherPortWhenUDPHasNone(t *testing.T) {
	var tried []string
	l, p, err := listenBoth(t.Context(), new(net.ListenConfig), "127.0.0.1:0",
		func(ctx context.Context, network, address string) (net.PacketConn, error) {
			tried = append(tried, address)
			if len(tried) < 4 {
				return nil, syscall.EADDRINUSE
			}
			return new(net.ListenConfig).ListenPacket(ctx, network, address)
		})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer p.Close()
	seen := make(map[string]bool)
	for _, address := range tried {
		if seen[address] {
			t.Errorf("port tried twice: %s", address)
		}
		seen[address] = true
	}
	if l.Addr().String() != tried[3] || p.LocalAddr().String() != tried[3] {
		t.Errorf("listening at %v and %v, want both at %s", l.Addr(), p.LocalAddr(), tried[3])
	}
	for _, address := range tried[:3] {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Errorf("port %s, given up, still listens", address)
		}
	}
}

func TestListenGivesUpWhenUDPHasNoPortAtAll(t *testing.T) {
	tries := 0
	full := func(context.Context, string, string) (net.PacketConn, error) {
		tries++
		return nil, syscall.EADDRINUSE
	}
	for address, want := range map[string]int{"127.0.0.1:0": freePortAttempts, freeAddress(t): 1} {
		tries = 0
		_, _, err := listenBoth(t.Context(), new(net.ListenConfig), address, full)
		if !errors.Is(err, syscall.EADDRINUSE) || tries != want {
			t.Errorf("listenBoth(%s): %d tries, want %d; error %v", address, tries, want, err)
		}
	}
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
