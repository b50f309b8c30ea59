package networktest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/networktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestIPNetwork(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) { networktest.Run(t, loopback("127.0.0.1:0")) })
	t.Run("IPv6", func(t *testing.T) {
		l, p, err := cluster.IPNetwork{}.Listen(t.Context(), "[::1]:0")
		if err != nil {
			t.Skipf("NO IPv6 HERE: %v", err)
		}
		l.Close()
		p.Close()
		networktest.Run(t, loopback("[::1]:0"))
	})
}

func loopback(address string) networktest.NewHosts {
	return func(*testing.T) (a, b networktest.Host) {
		host := networktest.Host{Network: cluster.IPNetwork{}, Address: address}
		return host, host
	}
}

func TestMemoryNetwork(t *testing.T) {
	t.Run("real time", func(t *testing.T) { networktest.Run(t, inMemory) })
	t.Run("virtual time", func(t *testing.T) { networktest.RunInBubble(t, inMemory) })
	t.Run("one host", func(t *testing.T) {
		networktest.RunInBubble(t, func(t *testing.T) (a, b networktest.Host) {
			a, _ = inMemory(t)
			return a, a
		})
	})
	t.Run("slow", func(t *testing.T) {
		networktest.RunInBubble(t, func(t *testing.T) (a, b networktest.Host) {
			return hosts(t, func(n *clustertest.Network) { n.SetDelay(1e6, 20e6) })
		})
	})
}

func inMemory(t *testing.T) (a, b networktest.Host) {
	return hosts(t, func(*clustertest.Network) {})
}

func hosts(t *testing.T, configure func(*clustertest.Network)) (a, b networktest.Host) {
	n := clustertest.NewNetwork(1)
	t.Cleanup(n.Close)
	configure(n)
	host := func(name string) networktest.Host {
		h := n.Host(name)
		return networktest.Host{Network: h, Address: h.IP().String() + ":0"}
	}
	return host("a"), host("b")
}
