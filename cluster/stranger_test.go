package cluster_test

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// footprint is what must not grow, whatever strangers do.
type footprint struct {
	goroutines int
	heap       uint64
}

func measure() footprint {
	synctest.Wait()
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{clustertest.Goroutines(), m.HeapAlloc}
}

func (before footprint) wantBack(t *testing.T) {
	t.Helper()
	after := measure()
	if after.goroutines > before.goroutines+2 { // gossip comes and goes
		t.Errorf("%d goroutines before, %d after", before.goroutines, after.goroutines)
	}
	if after.heap > before.heap+8<<20 {
		t.Errorf("heap of %d bytes before, %d after", before.heap, after.heap)
	}
}

// wantWorking fails the test unless the nodes still serve each other.
func wantWorking(t *testing.T, c *clustertest.Cluster) {
	t.Helper()
	for _, n := range c.Nodes() {
		each := workers(n, cluster.WithBalancer(new(cluster.RoundRobin)))
		for range n.Instances("worker") {
			if _, err := actor.Ask(within(t, time.Minute), each, Where{}); err != nil {
				t.Errorf("%s: %v", n.Name(), err)
			}
		}
	}
}

// strangers are what anybody on the network can do to a node.
var strangers = map[string]func(t *testing.T, c *clustertest.Cluster, h *clustertest.Host){
	"plaintext and noise": func(t *testing.T, c *clustertest.Cluster, h *clustertest.Host) {
		for _, hello := range [][]byte{
			[]byte("GET / HTTP/1.1\r\n\r\n"), []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
			noise(10_000, 1), {0x16, 3, 1, 0xff, 0xff}, {0},
		} {
			conn := dial(t, h, c.Node(0))
			go func() { _, _ = conn.Write(hello) }()
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Errorf("a connection that says %.10q stays open", hello)
			}
			_ = conn.Close()
		}
	},
	"TLS of another kind": func(t *testing.T, c *clustertest.Cluster, h *clustertest.Host) {
		stranger, err := derive(t, "another secret than the harness has", "test").Identity("stranger")
		if err != nil {
			t.Fatal(err)
		}
		for what, config := range map[string]*tls.Config{
			"no certificate":    {InsecureSkipVerify: true, NextProtos: []string{"h2"}},
			"no protocol":       {InsecureSkipVerify: true},
			"another protocol":  {InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}},
			"another authority": trusting(stranger.ClientTLS("node-0", "h2")),
			"old TLS":           {InsecureSkipVerify: true, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12},
		} {
			conn := tls.Client(dial(t, h, c.Node(0)), config)
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
			if err == nil {
				_, err = io.ReadAll(conn)
			}
			if err == nil || isTimeout(err) {
				t.Errorf("%s: %v", what, err)
			}
			_ = conn.NetConn().Close()
		}
	},
	"silence by hundreds": func(t *testing.T, c *clustertest.Cluster, h *clustertest.Host) {
		for range 500 {
			defer dial(t, h, c.Node(0)).Close()
		}
		wantWorking(t, c)
		<-time.After(20 * time.Second)
	},
	"packets": func(t *testing.T, c *clustertest.Cluster, h *clustertest.Host) {
		_, packets, err := h.Listen(t.Context(), ":1")
		if err != nil {
			t.Fatal(err)
		}
		defer packets.Close()
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(c.Node(0).Address()))
		for i := range 5000 {
			if _, err := packets.WriteTo(noise(i%1500, uint64(i)), to); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
	},
}

func TestStrangersDoNoHarm(t *testing.T) {
	for what, attack := range strangers {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
				newBench().serve(t, c, c.Node(0), c.Node(1))
				wantWorking(t, c)
				before := measure()
				attack(t, c, c.Network.Host("stranger"))
				wantWorking(t, c)
				<-time.After(time.Minute)
				before.wantBack(t)
				if len(c.Node(0).Members()) != 2 {
					t.Error(c.Node(0).Members())
				}
			})
		})
	}
}

func dial(t *testing.T, h *clustertest.Host, to *cluster.Node) net.Conn {
	t.Helper()
	conn, err := h.Dial(t.Context(), to.Address())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func noise(size int, seed uint64) []byte {
	dice := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(dice.Uint32())
	}
	return b
}

// trusting is a configuration that takes any server.
func trusting(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.InsecureSkipVerify = true
	config.VerifyConnection = nil
	config.VerifyPeerCertificate = nil
	return config
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
