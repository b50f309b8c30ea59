package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// authority is a certificate authority for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.cert, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// config returns the TLS configuration of the named node, for both ends.
func (a *authority) config(t testing.TB, name string) *tls.Config {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		RootCAs:      a.pool, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
	}
}

func (a *authority) secure(t testing.TB, name string, cfg Config) Config {
	own := a.config(t, name)
	cfg.ClientTLS = func(node string) *tls.Config {
		c := own.Clone()
		c.ServerName = node
		return c
	}
	cfg.PeerName = func(info credentials.AuthInfo) (string, error) {
		return info.(credentials.TLSInfo).State.PeerCertificates[0].Subject.CommonName, nil
	}
	return cfg
}

// handshaking is a listener that does TLS handshakes, as the node's port does.
type handshaking struct {
	net.Listener
	config *tls.Config
}

func (h handshaking) Accept() (net.Conn, error) {
	for {
		c, err := h.Listener.Accept()
		if err != nil {
			return nil, err
		}
		secured := tls.Server(c, h.config)
		if secured.HandshakeContext(context.Background()) == nil {
			return secured, nil
		}
		_ = secured.Close()
	}
}

// secureServer returns a server with TLS and a function that makes clients whose
// certificates carry the given name.
func secureServer(t testing.TB, cfg Config) (*node, func(certified string, cfg Config) *node) {
	a := newAuthority(t)
	s := serveOn(t, a.secure(t, "server", cfg), handshaking{listen(t, "127.0.0.1:0"), a.config(t, "server")}, serverIncarnation)
	return s, func(certified string, cfg Config) *node { return client(t, a.secure(t, certified, cfg)) }
}

func TestNodesKnowEachOtherByTheirCertificates(t *testing.T) {
	s, newClient := secureServer(t, Config{Handler: handler{receive: echo}})
	if got, err := ask(newClient("client", Config{}).peer(s), "hello"); err != nil || got != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestANodeThatClaimsAnothersNameIsRefused(t *testing.T) {
	s, newClient := secureServer(t, Config{Handler: handler{receive: echo}})
	_, err := ask(newClient("mallory", Config{}).peer(s), "hello")
	wantKind(t, err, NotSent, ErrUnreachable)
	if status.Code(errors.Unwrap(err)) != codes.Unauthenticated {
		t.Fatal(err)
	}
}

func TestAServerWithAnotherNameIsRefused(t *testing.T) {
	s, newClient := secureServer(t, Config{Handler: handler{receive: echo}})
	_, err := ask(newClient("client", Config{}).Peer("another", s.address, serverIncarnation), "hello")
	wantKind(t, err, NotSent, ErrUnreachable)
}

func TestAConnectionWithoutTLSIsRefused(t *testing.T) {
	a := newAuthority(t)
	s := serveOn(t, a.secure(t, "server", Config{Handler: handler{receive: echo}}), listen(t, "127.0.0.1:0"), serverIncarnation)
	_, err := ask(client(t, Config{}).peer(s), "hello")
	wantKind(t, err, NotSent, ErrUnreachable)
}
