package gossip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOpenExplainsABadConfig(t *testing.T) {
	n := newTestNetwork()
	for want, change := range map[string]func(*Config){
		"Cluster":     func(c *Config) { c.Cluster = "" },
		"Node":        func(c *Config) { c.Node = "a\nb" },
		"Incarnation": func(c *Config) { c.Incarnation = 0 },
		"Started":     func(c *Config) { c.Started = time.Time{} },
		"Key":         func(c *Config) { c.Key = c.Key[:16] },
		"Packets":     func(c *Config) { c.Packets = nil },
		"Advertise":   func(c *Config) { c.Advertise = netip.MustParseAddrPort("0.0.0.0:1") },
		"Preset":      func(c *Config) { c.Preset = 9 },
	} {
		cfg := n.config(n.listen(t, "10.0.0.1:7000"), "a")
		change(&cfg)
		g, err := Open(cfg)
		if g != nil || !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestCloseIsIdempotentAndEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 3)
		m := members[0]
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := m.SetCatalog(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("SetCatalog = %v", err)
		}
		if err := m.Leave(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Leave = %v", err)
		}
		select {
		case <-m.host.expired:
			t.Error("the read deadline of the socket was left in the past")
		default:
		}
		before := len(m.events())
		m.host.net.unplug(members[1].host.address)
		pass(time.Minute)
		if got := len(m.events()); got != before {
			t.Errorf("%d events after Close", got-before)
		}
	})
}

func TestLeaveAloneReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestNetwork().open(t, "a", "10.0.0.1:7000")
		start := time.Now()
		for range 2 {
			if err := m.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
		if err := m.SetCatalog(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("SetCatalog = %v", err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.Leave(t.Context()); err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestLeaveIsBoundedWhenNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 2)
		n.partition(members[0].host.address, members[1].host.address, true)
		start := time.Now()
		_ = members[0].Leave(t.Context())
		if took := time.Since(start); took > maxLeave {
			t.Errorf("it took %v", took)
		}
	})
}

func TestLeaveEndsWithItsContext(t *testing.T) {
	for what, limit := range map[string]time.Duration{"soon": 50 * time.Millisecond, "at once": 0} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newTestNetwork()
				members := n.cluster(t, 3)
				leaver := members[0]
				for _, m := range members[1:] { // nobody hears it
					n.partition(leaver.host.address, m.host.address, true)
				}
				ctx := withTimeout(t, limit)
				start := time.Now()
				err := leaver.Leave(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "other nodes") {
					t.Errorf("Leave = %v", err)
				}
				if err := leaver.Close(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > limit+time.Millisecond {
					t.Errorf("Leave and Close took %v of %v", took, limit)
				}
				if err := leaver.Leave(t.Context()); err == nil {
					t.Error("a farewell that was broken off succeeded")
				}
			})
		})
	}
}

func TestALeaveWithoutTimeIsHeardAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 3)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := members[0].Leave(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Leave = %v", err)
		}
		if err := members[0].Close(); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second, "the others know", func() bool {
			return members[1].story(members[0].Self()) == "joined left" && members[2].story(members[0].Self()) == "joined left"
		})
	})
}

func TestMethodsMayRunConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3)
		var wg sync.WaitGroup
		for i := range 30 {
			m := members[i%3]
			wg.Go(func() {
				_ = m.SetCatalog(make([]byte, i*200))
				_, _ = m.Join(t.Context(), []string{members[(i+1)%3].Self().Address})
				_, _, _ = m.Members(), m.Lost(), m.Stats()
				if i > 20 {
					_ = m.Leave(t.Context())
				}
				if i > 25 {
					_ = m.Close()
				}
			})
		}
		wg.Wait()
	})
}
