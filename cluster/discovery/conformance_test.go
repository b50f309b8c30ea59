package discovery_test

import (
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/cluster/discoverytest"
)

func TestDNSConformance(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T, addresses []string) []cluster.Discovery {
		var records []string
		for _, address := range addresses {
			a := netip.MustParseAddrPort(address)
			host := "node-" + a.Addr().String() + ".example."
			_, port, _ := net.SplitHostPort(address)
			records = append(records, "_troupe._tcp.example. 1 IN SRV 0 0 "+port+" "+host, host+" 1 IN A "+a.Addr().String())
		}
		resolver := discovery.NewResolver(t, records...)
		var nodes []cluster.Discovery
		for range addresses {
			nodes = append(nodes, discovery.DNS("_troupe._tcp.example.", discovery.WithResolver(resolver)))
		}
		return nodes
	})
}

func TestStaticConformance(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T, addresses []string) []cluster.Discovery {
		var nodes []cluster.Discovery
		for range addresses {
			nodes = append(nodes, discovery.Static(addresses...))
		}
		return nodes
	})
}

func TestLocalConformance(t *testing.T) {
	discoverytest.RunPublishing(t, func(t *testing.T, addresses []string) []cluster.Discovery {
		dir := filepath.Join(t.TempDir(), "run")
		var nodes []cluster.Discovery
		for range addresses {
			nodes = append(nodes, discovery.Local(dir))
		}
		return nodes
	})
}

func TestMDNSConformance(t *testing.T) {
	discovery.RequireMulticast(t)
	discoverytest.RunPublishing(t, func(t *testing.T, addresses []string) []cluster.Discovery {
		var nodes []cluster.Discovery
		for range addresses {
			nodes = append(nodes, discovery.MDNS(discovery.WithTimeout(100*time.Millisecond)))
		}
		return nodes
	})
}
