package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// everywhere is a host whose nodes listen on all of its addresses.
type everywhere struct{ *clustertest.Host }

func (e everywhere) Listen(ctx context.Context, address string) (net.Listener, net.PacketConn, error) {
	l, p, err := e.Host.Listen(ctx, address)
	return unspecified{l}, p, err
}

type unspecified struct{ net.Listener }

func (u unspecified) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv6unspecified, Port: u.Listener.Addr().(*net.TCPAddr).Port}
}

// moving starts a node on a host of its own that has the address which is put into it.
func moving(t *testing.T, c *clustertest.Cluster, log *journal, options ...cluster.Option) (*cluster.Node, *atomic.Pointer[netip.Addr]) {
	t.Helper()
	h := c.Network.Host("moving")
	at, was := new(atomic.Pointer[netip.Addr]), h.IP()
	at.Store(&was)
	n, err := c.TryStart(h, "moving", append([]cluster.Option{
		cluster.WithNetwork(everywhere{h}), cluster.WithListen(":7420"), cluster.WithLogger(log.logger(slog.LevelInfo)),
		cluster.WithAddress(func() netip.Addr { return *at.Load() }),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	if n.Address() != was.String()+":7420" {
		t.Errorf("it advertises %s", n.Address())
	}
	return n, at
}

func TestANodeWhoseHostHasAnotherAddressLeaves(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		var log journal
		n, at := moving(t, c, &log)
		other := netip.MustParseAddr("10.9.9.9")
		at.Store(&other)
		select {
		case <-n.Done():
		case <-time.After(time.Minute):
			t.Fatal("it stays")
		}
		err := n.Err()
		if !errors.Is(err, cluster.ErrAddressChanged) || actor.CodeOf(err) != actor.Unavailable ||
			!strings.Contains(err.Error(), n.Address()) || !strings.Contains(err.Error(), "10.9.9.9") || !strings.Contains(err.Error(), "TROUPE_ADVERTISE") {
			t.Errorf("Err = %v", err)
		}
		if said := log.take(); strings.Count(said, "lost the address") != 1 {
			t.Errorf("it logged %s", said)
		}
	})
}

func TestANodeWaitsForAnAddressThatComesBack(t *testing.T) {
	for what, meanwhile := range map[string]netip.Addr{
		"there is none":             {},
		"there is another one":      netip.MustParseAddr("10.9.9.9"),
		"there is one for the link": netip.MustParseAddr("169.254.1.1"),
	} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
				var log journal
				n, at := moving(t, c, &log)
				was := at.Load()
				for range 3 {
					at.Store(&meanwhile)
					if <-time.After(5 * time.Second); !meanwhile.IsGlobalUnicast() {
						<-time.After(5 * time.Minute)
					}
					at.Store(was)
					<-time.After(10 * time.Second)
				}
				if err := n.Err(); err != nil {
					t.Fatal(err)
				}
				sees(t, n, 2, time.Minute)
				if said := log.take(); strings.Count(said, "lost the address") != 3 || strings.Count(said, "address back") != 3 {
					t.Errorf("it logged %s", said)
				}
			})
		})
	}
}

func TestAnAddressThatTheUserGaveIsNotWatched(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		var log journal
		n, at := moving(t, c, &log, cluster.WithAdvertise(c.Network.Host("moving").IP().String()+":7420"))
		other := netip.MustParseAddr("10.9.9.9")
		at.Store(&other)
		<-time.After(time.Minute)
		if err := n.Err(); err != nil || strings.Contains(log.take(), "lost the address") {
			t.Errorf("Err = %v", err)
		}
	})
}

func TestANodeThatIsSeenElsewhereSaysWhatToSet(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		newBench().serve(t, c, c.Node(0))
		var log journal
		h := c.Network.Host("hidden")
		n, err := c.TryStart(h, "hidden", cluster.WithNetwork(everywhere{h}), cluster.WithListen(":7420"),
			cluster.WithLogger(log.logger(slog.LevelInfo)),
			cluster.WithAddress(func() netip.Addr { return netip.MustParseAddr("172.18.0.2") }))
		if err != nil {
			t.Fatal(err)
		}
		sees(t, n, 2, time.Minute)
		if _, err := actor.Ask(within(t, time.Minute), workers(n), Where{}); err != nil {
			t.Fatal(err)
		}
		said := log.take()
		for _, part := range []string{"met_at=" + h.IP().String(), "advertised=172.18.0.2:7420", "TROUPE_ADVERTISE=" + h.IP().String() + ":7420"} {
			if strings.Count(said, part) != 1 {
				t.Errorf("it does not say %q once: %s", part, said)
			}
		}
	})
}
