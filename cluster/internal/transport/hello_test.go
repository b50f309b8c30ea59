package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"
)

func TestANodeIsToldWhereItIsSeen(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	c := client(t, Config{Seen: func(node string, at netip.Addr) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, node+" "+at.String())
	}})
	if _, err := ask(c.peer(server(t, Config{Handler: handler{receive: echo}})), "hello"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(slices.Compact(seen), []string{"server 127.0.0.1"}) {
		t.Errorf("it is told %q", seen)
	}
}

func TestANodeThatIsNotToldWhereItIsSeenMissesNothing(t *testing.T) {
	c := client(t, Config{Seen: func(node string, at netip.Addr) { t.Errorf("%s sees it at %v", node, at) }})
	for _, said := range []metadata.MD{nil, {keySeen: {""}}, {keySeen: {"nowhere"}}, {keySeen: {"fe80::1%eth0"}}, {keySeen: {strings.Repeat("1", 1<<10)}}} {
		c.seen("server", said)
	}
}

func TestWhyANodeCannotBeReachedIsExplained(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	l.Close()
	explain := func(node, address string, err error) error {
		return fmt.Errorf("%s is not at %s: %w", node, address, err)
	}
	c := client(t, Config{Explain: explain})
	_, err := ask(c.Peer("server", address, serverIncarnation), "hello")
	if err == nil || !strings.Contains(err.Error(), "server is not at "+address) {
		t.Errorf("asking fails with %v", err)
	}
	s, newClient := secureServer(t, Config{Handler: handler{receive: echo}})
	c = newClient("client", Config{Explain: explain})
	_, err = ask(c.Peer("another", s.address, serverIncarnation), "hello")
	if err == nil || !strings.Contains(err.Error(), "another is not at "+s.address) {
		t.Errorf("asking fails with %v", err)
	}
}
