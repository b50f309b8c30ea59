package port_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/internal/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority is a certificate authority and what it has certified: all nodes of a cluster in one.
type authority struct {
	server, client *tls.Config
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              []string{"node"},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	certificates := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return authority{
		server: &tls.Config{Certificates: certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
		client: &tls.Config{Certificates: certificates, RootCAs: pool, ServerName: "node"},
	}
}

// speaking returns the client's configuration with these protocols.
func (a authority) speaking(protocols ...string) *tls.Config {
	config := a.client.Clone()
	config.NextProtos = protocols
	return config
}

// refused collects what the port refuses.
type refused struct {
	mu   sync.Mutex
	errs []error
}

func (r *refused) add(_ net.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *refused) all() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]error(nil), r.errs...)
}

// fixture is a port on the in-memory network, and a host to reach it from.
type fixture struct {
	*testing.T
	*port.Port
	nodes   authority
	network *clustertest.Network
	away    *clustertest.Host
	refused *refused
}

// open serves the protocols "h2" and "gossip". It is for use within a bubble.
func open(t *testing.T, change ...func(*port.Config)) *fixture {
	t.Helper()
	f := &fixture{T: t, nodes: newAuthority(t), network: clustertest.NewNetwork(1), refused: new(refused)}
	t.Cleanup(f.network.Close)
	f.away = f.network.Host("away")
	l, p, err := f.network.Host("home").Listen(t.Context(), ":7000")
	if err != nil {
		t.Fatal(err)
	}
	config := port.Config{
		Listener:  l,
		Packets:   p,
		TLS:       f.nodes.server,
		Protocols: []string{"h2", "gossip"},
		Refused:   f.refused.add,
	}
	for _, c := range change {
		c(&config)
	}
	f.Port, err = port.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// dial opens a raw connection to the port.
func (f *fixture) dial() net.Conn {
	f.Helper()
	c, err := f.away.Dial(f.Context(), f.Addr().String())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	return c
}

// connect does the handshake as a client; the server may still refuse it after.
func (f *fixture) connect(config *tls.Config) (*tls.Conn, error) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	c := tls.Client(f.dial(), config)
	return c, c.HandshakeContext(ctx)
}

// accept takes the next connection of a protocol.
func (f *fixture) accept(protocol string) *tls.Conn {
	f.Helper()
	c, err := f.Listener(protocol).Accept()
	if err != nil {
		f.Fatalf("Accept: %v", err)
	}
	f.Cleanup(func() { c.Close() })
	return c.(*tls.Conn)
}
