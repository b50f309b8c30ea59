package security

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writeFiles stores a certificate that the authority issues, as PEM.
func writeFiles(t *testing.T, dir string, ca *authority, certificate *tls.Certificate) CertificateFiles {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := CertificateFiles{
		CA:          filepath.Join(dir, "ca.pem"),
		Certificate: filepath.Join(dir, "node.pem"),
		Key:         filepath.Join(dir, "node.key"),
	}
	for path, block := range map[string]*pem.Block{
		files.CA:          {Type: "CERTIFICATE", Bytes: ca.certificate.Raw},
		files.Certificate: {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		files.Key:         {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func mustIssue(t *testing.T, ca *authority, node string) *tls.Certificate {
	t.Helper()
	certificate, err := ca.issue(node)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// ownAuthority stands for the user's: its key does not come from the secret.
func ownAuthority(t *testing.T, cluster string) *authority {
	t.Helper()
	return authorityOf(t, "the user's own authority", cluster)
}

func TestLoadedCertificatesIdentifyTheNode(t *testing.T) {
	ca := ownAuthority(t, "lab")
	var nodes [2]*Identity
	for i, name := range []string{"a", "b"} {
		credentials, err := LoadCertificates(mustSecret(t, testSecret), "lab", writeFiles(t, t.TempDir(), ca, mustIssue(t, ca, name)))
		if err != nil {
			t.Fatal(err)
		}
		if credentials.Node() != name || credentials.Cluster() != "lab" {
			t.Errorf("Node() = %q, Cluster() = %q", credentials.Node(), credentials.Cluster())
		}
		if _, err := credentials.Identity("c"); !errors.Is(err, ErrWrongPeer) {
			t.Errorf("the identity of another node: %v", err)
		}
		if !bytes.Equal(credentials.GossipKey(), mustDerive(t, testSecret, "lab").GossipKey()) {
			t.Error("the gossip key does not come from the secret alone")
		}
		nodes[i] = mustIdentity(t, credentials, name)
	}
	states, serverErr, clientErr := handshake(t, nodes[1].ServerTLS(), nodes[0].ClientTLS("b"))
	if peer, err := PeerOf(states[0]); serverErr != nil || clientErr != nil || err != nil || peer.Node != "a" {
		t.Errorf("server %v, client %v, peer %v", serverErr, clientErr, peer)
	}
	// The secret is not enough to be a node of that cluster.
	intruder := mustIdentity(t, mustDerive(t, testSecret, "lab"), "a").ClientTLS("")
	intruder.VerifyConnection = nil
	if _, serverErr, _ := handshake(t, nodes[1].ServerTLS(), intruder); !errors.Is(serverErr, ErrUntrusted) {
		t.Errorf("an intruder with the secret: %v", serverErr)
	}
}

func TestLoadedCertificatesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, ca := t.TempDir(), ownAuthority(t, "lab")
		credentials, err := LoadCertificates(mustSecret(t, testSecret), "lab", writeFiles(t, dir, ca, mustIssue(t, ca, "a")))
		if err != nil {
			t.Fatal(err)
		}
		id := mustIdentity(t, credentials, "a")
		<-time.After(20 * time.Hour)
		if _, err := id.certificate(); err != nil {
			t.Errorf("not renewed yet, still valid: %v", err)
		}
		renewed := mustIssue(t, ca, "a")
		writeFiles(t, dir, ca, renewed)
		<-time.After(renewalPause)
		got, err := id.certificate()
		if err != nil || !got.Leaf.Equal(renewed.Leaf) {
			t.Errorf("the new file is not in use: %v", err)
		}

		writeFiles(t, dir, ca, mustIssue(t, ca, "b"))
		<-time.After(30 * time.Hour)
		if _, err := id.certificate(); err == nil {
			t.Error("no error, though the certificate has run out")
		}
		writeFiles(t, dir, ca, mustIssue(t, ca, "b"))
		if _, err := id.certificate(); !errors.Is(err, ErrWrongPeer) {
			t.Errorf("a file of another node: %v", err)
		}
	})
}

func TestLoadCertificatesRefusesWhatPeersWouldRefuse(t *testing.T) {
	ca, other := ownAuthority(t, "lab"), authorityOf(t, "another authority", "lab")
	good := mustIssue(t, ca, "a")
	reissue := func(change func(*x509.Certificate)) *tls.Certificate {
		template := *good.Leaf
		change(&template)
		der, err := x509.CreateCertificate(rand.Reader, &template, ca.certificate, good.Leaf.PublicKey, ca.key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: good.PrivateKey}
	}
	for _, tt := range []struct {
		name        string
		certificate *tls.Certificate
		want        error
		hint        string
	}{
		{"another authority", mustIssue(t, other, "a"), ErrUntrusted, "same authority"},
		{"another cluster", mustIssue(t, ownAuthority(t, "other"), "a"), ErrWrongCluster, `"other"`},
		{"expired", reissue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), ErrUntrusted, "clocks"},
		{"a server only", reissue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ErrUntrusted, "issued anew"},
		{"two names", reissue(func(c *x509.Certificate) { c.URIs = append(slices.Clone(c.URIs), &url.URL{Scheme: "x", Host: "y"}) }), ErrUntrusted, "one node"},
		{"no name", reissue(func(c *x509.Certificate) { c.URIs = nil }), ErrUntrusted, "one node"},
		{"an authority", reissue(func(c *x509.Certificate) { c.IsCA = true }), ErrUntrusted, "one node"},
		{"no node", reissue(func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "lab", Path: "/x"}} }), ErrUntrusted, "not a node"},
	} {
		_, err := LoadCertificates(mustSecret(t, testSecret), "lab", writeFiles(t, t.TempDir(), ca, tt.certificate))
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.hint) {
			t.Errorf("%s: got %v, want %v with %q", tt.name, err, tt.want, tt.hint)
		}
	}
}

func TestLoadCertificatesNamesTheBadFile(t *testing.T) {
	ca := ownAuthority(t, "lab")
	secret := mustSecret(t, testSecret)
	for _, pick := range []func(*CertificateFiles) *string{
		func(f *CertificateFiles) *string { return &f.CA },
		func(f *CertificateFiles) *string { return &f.Certificate },
		func(f *CertificateFiles) *string { return &f.Key },
	} {
		files := writeFiles(t, t.TempDir(), ca, mustIssue(t, ca, "a"))
		path := pick(&files)
		if err := os.WriteFile(*path, []byte("no PEM"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadCertificates(secret, "lab", files); err == nil {
			t.Errorf("%s: no error for garbage", *path)
		}
		*path += ".missing"
		if _, err := LoadCertificates(secret, "lab", files); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), *path) {
			t.Errorf("%s: got %v", *path, err)
		}
	}
	if _, err := LoadCertificates(Secret{}, "lab", CertificateFiles{}); !errors.Is(err, ErrSecret) {
		t.Errorf("no secret: %v", err)
	}
}
