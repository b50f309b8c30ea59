package cluster_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/discovery"
)

// blackHoles returns addresses from which nothing comes back to the host, not even a refusal.
func blackHoles(c *clustertest.Cluster, count int, host string) []string {
	var holes, addresses []string
	for i := range count {
		name := fmt.Sprintf("hole-%d", i)
		holes = append(holes, name)
		addresses = append(addresses, c.Network.Host(name).IP().String()+":7420")
	}
	c.Network.Host(host)
	for _, hole := range holes {
		c.Network.Cut(host, hole)
	}
	return addresses
}

func sees(t *testing.T, n *cluster.Node, members int, limit time.Duration) {
	t.Helper()
	if err := n.Await(within(t, limit), func() bool { return len(n.Members()) == members }); err != nil {
		t.Errorf("%s sees %v: %v", n.Name(), n.Members(), err)
	}
}

func TestSeedsThatDoNotAnswerHideNoneThatDoes(t *testing.T) {
	for _, count := range []int{8, 300} {
		clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
			seeds := append(blackHoles(c, count, "late"), c.Node(0).Address())
			n := start(t, c, "late", cluster.WithDiscovery(discovery.Static(seeds...)))
			sees(t, n, 2, 5*time.Minute) // those found in one look may be too many for it
		})
	}
}

func TestANodeThatStaysAloneSaysWhoDoesNotAnswer(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		var log journal
		seeds := blackHoles(c, 9, "alone")
		n := start(t, c, "alone", cluster.WithDiscovery(discovery.Static(seeds...)), cluster.WithLogger(log.logger(slog.LevelInfo)))
		<-time.After(time.Minute)
		said := log.take()
		if len(n.Members()) != 1 || strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, seeds[0]) || !strings.Contains(said, "static") {
			t.Errorf("it logged %s", said)
		}
	})
}

func TestANodeThatDNSListsNoOtherForSaysSo(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		var log journal
		nobody := way{name: "dns", announce: succeed, withdraw: succeed, find: func(context.Context) ([]string, error) { return nil, nil }}
		start(t, c, "alone", cluster.WithDiscovery(nobody), cluster.WithLogger(log.logger(slog.LevelInfo)))
		<-time.After(4 * time.Second)
		if said := log.take(); strings.Contains(said, "alone:") {
			t.Errorf("others may just be starting, and it logged %s", said)
		}
		<-time.After(time.Minute)
		if said := log.take(); strings.Count(said, "level=INFO msg=\"this node is alone: DNS lists no other one") != 1 {
			t.Errorf("it logged %s", said)
		}
	})
}

func TestANodeIsNotItsOwnCompany(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		var log journal
		seeds := blackHoles(c, 1, "alone")
		itself := c.Network.Host("alone").IP().String() + ":7420" // the node goes by another address
		start(t, c, "alone", cluster.WithAdvertise("10.9.9.9:7420"), cluster.WithLogger(log.logger(slog.LevelInfo)),
			cluster.WithDiscovery(discovery.Static(append(seeds, itself)...)))
		<-time.After(time.Minute)
		if said := log.take(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, "none of its contacts answers") || !strings.Contains(said, seeds[0]) {
			t.Errorf("it logged %s", said)
		}
	})
}

// way is a discovery with methods of its own.
type way struct {
	cluster.Discovery
	name               string // "odd" if it is empty
	announce, withdraw func(context.Context) error
	find               func(context.Context) ([]string, error)
}

func (o way) Name() string { return cmp.Or(o.name, "odd") }

func succeed(context.Context) error { return nil }

func (o way) Announce(ctx context.Context, _, _, _ string) error { return o.announce(ctx) }

func (o way) Find(ctx context.Context, _ string) ([]string, error) { return o.find(ctx) }

func (o way) Withdraw(ctx context.Context) error { return o.withdraw(ctx) }

func TestADiscoveryThatMisbehavesHidesNoOther(t *testing.T) {
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	none := func(context.Context) ([]string, error) { return nil, nil }
	for what, ill := range map[string]func(string, <-chan struct{}) way{
		"it finds the live one and then waits": func(live string, _ <-chan struct{}) way {
			return way{announce: succeed, withdraw: succeed, find: func(ctx context.Context) ([]string, error) { return []string{live}, wait(ctx) }}
		},
		"Find waits for ever": func(_ string, end <-chan struct{}) way {
			return way{announce: succeed, withdraw: succeed, find: func(context.Context) ([]string, error) { <-end; return nil, nil }}
		},
		"Find panics": func(string, <-chan struct{}) way {
			return way{announce: succeed, withdraw: succeed, find: func(context.Context) ([]string, error) { panic("bad luck") }}
		},
		"Find ends its goroutine": func(string, <-chan struct{}) way {
			return way{announce: succeed, withdraw: succeed, find: func(context.Context) ([]string, error) { runtime.Goexit(); return nil, nil }}
		},
		"Announce waits": func(string, <-chan struct{}) way { return way{announce: wait, withdraw: succeed, find: none} },
		"Announce waits for ever": func(_ string, end <-chan struct{}) way {
			return way{announce: func(context.Context) error { <-end; return nil }, withdraw: succeed, find: none}
		},
		"Withdraw waits for ever": func(_ string, end <-chan struct{}) way {
			return way{announce: succeed, withdraw: func(context.Context) error { <-end; return nil }, find: none}
		},
	} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
				end := make(chan struct{})
				defer close(end)
				var withdrawn atomic.Bool
				live := way{announce: succeed,
					withdraw: func(context.Context) error { withdrawn.Store(true); return nil },
					find:     func(context.Context) ([]string, error) { return []string{c.Node(0).Address()}, nil },
				}
				ways := []cluster.Discovery{ill(c.Node(0).Address(), end), live}
				if strings.HasPrefix(what, "it finds") {
					ways = ways[:1]
				}
				began := time.Now()
				n, err := c.TryStart(c.Network.Host("late"), "late", cluster.WithDiscovery(ways...))
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("Join took %v", took)
				}
				sees(t, n, 2, time.Minute)
				began = time.Now()
				_ = n.Leave(within(t, 10*time.Second)) // the discovery goes on
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("Leave took %v", took)
				}
				if len(ways) == 2 && !withdrawn.Load() {
					t.Error("the other way was not withdrawn")
				}
			})
		})
	}
}

func TestABlackHoleDoesNotHideARefusal(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		seeds := append(blackHoles(c, 1, "stranger"), c.Node(0).Address())
		n, err := c.TryStart(c.Network.Host("stranger"), "stranger", cluster.WithDiscovery(discovery.Static(seeds...)),
			cluster.WithCredentials(derive(t, "another secret than the harness has", "test")))
		if n != nil || err == nil || !strings.Contains(err.Error(), "secret") {
			t.Errorf("Join = %v, %v", n, err)
		}
	})
}
