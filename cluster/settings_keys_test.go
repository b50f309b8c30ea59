package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// certify writes ca.pem, node.pem and key.pem for a node.
func certify(t *testing.T, dir, identity string) {
	t.Helper()
	uri, err := url.Parse(identity)
	must(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	node := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, URIs: []*url.URL{uri},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	must(t, err)
	certificate, err := x509.CreateCertificate(rand.Reader, node, authority, key.Public(), caKey)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: ca}, "node.pem": {Type: "CERTIFICATE", Bytes: certificate}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
}

func TestANodeHasTheCertificateThatItsSettingsName(t *testing.T) {
	dir := t.TempDir()
	certify(t, dir, "spiffe://shop/node/ada")
	variables := map[string]string{
		"TROUPE_CLUSTER": "shop", "TROUPE_SECRET": "a secret for the gossip of the shop", "TROUPE_STATE_DIR": dir,
		"TROUPE_CERTIFICATES_CA": filepath.Join(dir, "ca.pem"), "TROUPE_CERTIFICATES_CERTIFICATE": filepath.Join(dir, "node.pem"),
	}
	join := func() (*cluster.Node, error) {
		return cluster.Join(t.Context(), cluster.WithListen("127.0.0.1:0"), cluster.WithDiscovery(), cluster.WithLogger(slog.New(slog.DiscardHandler)),
			cluster.WithEnvironment(func(name string) string { return variables[name] }))
	}
	if _, err := join(); actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), "certificates.key") {
		t.Errorf("without a key: %v", err)
	}
	variables["TROUPE_CERTIFICATES_KEY"] = filepath.Join(dir, "key.pem")
	n, err := join()
	must(t, err)
	defer leave(t, n)
	if n.Name() != "ada" || n.Cluster() != "shop" {
		t.Errorf("it is %s of %s", n.Name(), n.Cluster())
	}
}

func TestAVariableMayNameAFileAndIsElseTakenAsItIs(t *testing.T) {
	keys := derive(t, "a secret of the join tests", "test")
	file := filepath.Join(t.TempDir(), "name")
	must(t, os.WriteFile(file, []byte("ada\n"), 0o600))
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		join := func(variables map[string]string) (*cluster.Node, error) {
			return cluster.Join(t.Context(), cluster.WithNetwork(c.Network.Host("ada")), cluster.WithCredentials(keys), cluster.WithDiscovery(),
				cluster.WithLogger(slog.New(slog.DiscardHandler)), cluster.WithListen("10.0.0.1:99"),
				cluster.WithEnvironment(func(name string) string { return variables[name] }))
		}
		n, err := join(map[string]string{"TROUPE_NAME": "file:" + file})
		must(t, err)
		defer leave(t, n)
		if n.Name() != "ada" {
			t.Errorf("its name is %q", n.Name())
		}
		if _, err := join(map[string]string{"TROUPE_NAME": "${HOME} $${x}"}); err == nil || !strings.Contains(err.Error(), "${HOME} $${x}") {
			t.Errorf("Join: %v", err)
		}
	})
}
