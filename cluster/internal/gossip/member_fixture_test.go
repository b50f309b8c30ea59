package gossip

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testMember is a member with a record of its events.
type testMember struct {
	*Gossip
	host *testHost

	mu   sync.Mutex
	seen []Event
}

func (m *testMember) record(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, e)
}

func (m *testMember) events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seen)
}

// story tells the events about one member in short.
func (m *testMember) story(about Member) string {
	var words []string
	for _, e := range m.events() {
		switch e := e.(type) {
		case Joined:
			if e.Member == about {
				words = append(words, "joined")
			}
		case CatalogChanged:
			if e.Member == about {
				words = append(words, "catalog")
			}
		case Left:
			if e.Member == about {
				words = append(words, "left")
			}
		case Failed:
			if e.Member == about {
				words = append(words, "failed")
			}
		}
	}
	return strings.Join(slices.Compact(words), " ")
}

// catalog returns the newest catalog that m was told of.
func (m *testMember) catalog(of Member) []byte {
	for _, e := range slices.Backward(m.events()) {
		if c, ok := e.(CatalogChanged); ok && c.Member == of {
			return c.Catalog
		}
	}
	return nil
}

func (m *testMember) sees(other Member) bool { return slices.Contains(m.Members(), other) }

func (n *testNetwork) config(host *testHost, node string) Config {
	return Config{
		Cluster:     "test",
		Node:        node,
		Incarnation: 0xfeed,
		Started:     time.Unix(1, 2),
		Key:         bytes.Repeat([]byte{7}, KeyLen),
		Packets:     host,
		Streams:     host,
		Dial:        host.dial,
		Reach:       host.reach,
		Advertise:   netip.MustParseAddrPort(host.address),
		Preset:      Local,
	}
}

// open starts a member that is closed with the test.
func (n *testNetwork) open(t *testing.T, node, address string, change ...func(*Config)) *testMember {
	t.Helper()
	// A bubble must outlive the probes of memberlist, which Close does not wait
	// for. Cleanups run in reverse: this one after Close.
	t.Cleanup(func() { pass(time.Minute) })
	m := &testMember{host: n.listen(t, address)}
	cfg := n.config(m.host, node)
	cfg.Events = m.record
	for _, f := range change {
		f(&cfg)
	}
	g, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Gossip = g
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// cluster starts members that have joined each other.
func (n *testNetwork) cluster(t *testing.T, size int, change ...func(*Config)) []*testMember {
	t.Helper()
	var members []*testMember
	for i := range size {
		m := n.open(t, fmt.Sprintf("node%d", i), fmt.Sprintf("10.0.0.%d:7000", i+1), change...)
		if i > 0 {
			join(t, m, members[i-1])
		}
		members = append(members, m)
	}
	within(t, 5*time.Second, "all members see each other", func() bool {
		for _, m := range members {
			if len(m.Members()) != size {
				return false
			}
		}
		return true
	})
	return members
}

func join(t *testing.T, m, peer *testMember) {
	t.Helper()
	n, err := m.Join(t.Context(), []string{peer.Self().Address})
	if n != 1 || err != nil {
		t.Fatalf("Join = %d, %v", n, err)
	}
}

// within waits, in the time of the bubble, until the condition holds.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		synctest.Wait()
		if condition() {
			return time.Since(start)
		}
		if time.Since(start) >= limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// pass lets time pass in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
