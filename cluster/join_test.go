package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/security"
)

func derive(t testing.TB, secret, name string) *security.Credentials {
	t.Helper()
	parsed, err := security.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := security.Derive(parsed, name)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestJoinExplainsOptionsThatMakeNoSense(t *testing.T) {
	keys := derive(t, "a secret of the join tests", "test")
	for what, options := range map[string][]cluster.Option{
		"a node name":          {cluster.WithName("no spaces")},
		"an overlong name":     {cluster.WithName(strings.Repeat("n", 200))},
		"a cluster name":       {cluster.WithCluster("Not Lower")},
		"another cluster":      {cluster.WithCluster("other"), cluster.WithCredentials(keys)},
		"an advertise address": {cluster.WithAdvertise("nowhere")},
		"a short secret": {cluster.WithEnvironment(func(key string) string {
			return map[string]string{"TROUPE_SECRET": "x"}[key]
		})},
		"a negative size": {cluster.WithMaxMessage(-1)},
	} {
		t.Run(what, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			all := append([]cluster.Option{
				quiet(), cluster.WithStateDir(t.TempDir()), cluster.WithLogger(slog.New(slog.DiscardHandler)),
				cluster.WithDiscovery(), cluster.WithName("a"), cluster.WithListen("127.0.0.1:0"),
			}, options...)
			n, err := cluster.Join(t.Context(), all...)
			if n != nil || actor.CodeOf(err) != actor.InvalidArgument {
				t.Errorf("Join = %v, %v", n, err)
			}
		})
	}
}

func TestJoinSaysWhichAddressCannotBeListenedOn(t *testing.T) {
	for _, address := range []string{"192.0.2.1:0", "no port"} {
		_, err := cluster.Join(t.Context(), quiet(), cluster.WithStateDir(t.TempDir()), cluster.WithName("a"),
			cluster.WithDiscovery(), cluster.WithLogger(slog.New(slog.DiscardHandler)), cluster.WithListen(address))
		if err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("Join at %q: %v", address, err)
		}
	}
}

func TestJoinReadsTheEnvironmentAndOptionsWin(t *testing.T) {
	keys := derive(t, "a secret of the join tests", "staging")
	synctest.Test(t, func(t *testing.T) {
		network := clustertest.NewNetwork(1)
		defer network.Close()
		join := func(host string, env map[string]string, options ...cluster.Option) *cluster.Node {
			n, err := cluster.Join(t.Context(), append(options, cluster.WithNetwork(network.Host(host)),
				cluster.WithCredentials(keys), cluster.WithStateDir(t.TempDir()),
				cluster.WithLogger(slog.New(slog.DiscardHandler)),
				cluster.WithEnvironment(func(key string) string { return env[key] }))...)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		a := join("a", map[string]string{
			"TROUPE_CLUSTER": "staging", "TROUPE_NAME": "ada", "TROUPE_LISTEN": "10.0.0.1:99",
		}, cluster.WithDiscovery())
		b := join("b", map[string]string{
			"TROUPE_NAME": "not this", "TROUPE_LISTEN": "10.0.0.2:99", "TROUPE_ADVERTISE": "10.0.0.2:99",
			"TROUPE_SEEDS": "10.0.0.9:1, 10.0.0.1:99", // nobody is at the first
		}, cluster.WithName("bob"), cluster.WithDiscovery(discovery.Static("10.0.0.1:99")))
		if a.Name() != "ada" || a.Cluster() != "staging" || a.Address() != "10.0.0.1:99" || b.Name() != "bob" {
			t.Error(a.Name(), a.Cluster(), a.Address(), b.Name())
		}
		if err := a.Await(within(t, 5*time.Second), func() bool { return len(a.Members()) == 2 }); err != nil {
			t.Error(err)
		}
		leave(t, a, b)
		<-time.After(time.Minute) // see clustertest.Run
	})
}

func leave(t testing.TB, nodes ...*cluster.Node) {
	t.Helper()
	for _, n := range nodes {
		if err := n.Leave(within(t, time.Minute)); err != nil {
			t.Errorf("%s: %v", n.Name(), err)
		}
	}
}

func TestASeedWithAnotherSecretOrClusterIsAWrongSecret(t *testing.T) {
	for what, keys := range map[string]*security.Credentials{
		"secret":  derive(t, "another secret than the harness has", "test"),
		"cluster": derive(t, "no secret at all, but long enough", "other"),
	} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
				began := time.Now()
				n, err := c.TryStart(c.Network.Host("stranger"), "stranger", cluster.WithCredentials(keys),
					cluster.WithDiscovery(discovery.Static(c.Node(0).Address())))
				if n != nil || !errors.Is(err, cluster.ErrWrongSecret) || actor.CodeOf(err) != actor.Unauthenticated {
					t.Errorf("Join = %v, %v", n, err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %v", took)
				}
				if members := c.Node(0).Members(); len(members) != 1 {
					t.Errorf("the other side sees %v", members)
				}
			})
		})
	}
}

func TestJoinEndsWithItsContext(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		c.Network.Host("late")
		c.Network.Partition([]string{"node-0"}, []string{"late"})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, ctx := range []context.Context{within(t, time.Second), ended} {
			began := time.Now()
			h := c.Network.Host("late")
			n, err := cluster.Join(ctx, quiet(), cluster.WithNetwork(h), cluster.WithListen(h.IP().String()+":7"),
				cluster.WithCredentials(derive(t, "no secret at all, but long enough", "test")), cluster.WithName("late"),
				cluster.WithLogger(slog.New(slog.DiscardHandler)), cluster.WithDiscovery(discovery.Static(c.Node(0).Address())))
			if n != nil || !errors.Is(err, ctx.Err()) {
				t.Errorf("Join = %v, %v", n, err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		}
	})
}

func TestANodeStaysThoughItsSeedIsNotThereYet(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		ip := c.Network.Host("late").IP().String()
		early, err := c.TryStart(c.Network.Host("early"), "early", cluster.WithDiscovery(discovery.Static(ip+":7420")))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if _, err := c.TryStart(c.Network.Host("late"), "late", cluster.WithDiscovery()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := early.Await(within(t, time.Minute), func() bool { return len(early.Members()) == 2 }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestFailedJoinsLeaveNothingBehind(t *testing.T) {
	keys := derive(t, "a secret of the join tests", "test")
	synctest.Test(t, func(t *testing.T) {
		network := clustertest.NewNetwork(1)
		defer network.Close()
		h := network.Host("a")
		listener, packets, err := h.Listen(t.Context(), ":7420")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		defer packets.Close()
		before := clustertest.Goroutines()
		for range 20 {
			if _, err := cluster.Join(t.Context(), quiet(), cluster.WithNetwork(h), cluster.WithName("a"), cluster.WithCredentials(keys),
				cluster.WithLogger(slog.New(slog.DiscardHandler)), cluster.WithDiscovery(), cluster.WithListen("10.0.0.1:7420")); err == nil {
				t.Fatal("Join succeeded at an address that is taken")
			}
		}
		synctest.Wait()
		if after := clustertest.Goroutines(); after > before {
			t.Errorf("%d goroutines before, %d after", before, after)
		}
	})
}
