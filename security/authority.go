package security

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

const (
	certificateLife = 24 * time.Hour
	clockSkew       = time.Hour // how far a peer's clock may be behind ours
)

// authority is a certificate authority that is computed, not stored: the same
// seed and cluster give the same certificate, byte for byte.
type authority struct {
	cluster     string
	certificate *x509.Certificate
	key         ed25519.PrivateKey
}

func newAuthority(cluster string, seed []byte) (*authority, error) {
	key := ed25519.NewKeyFromSeed(seed)
	keyID := sha256.Sum256(key.Public().(ed25519.PublicKey))
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{Organization: []string{"Troupe"}, CommonName: cluster},
		NotBefore:             time.Unix(0, 0).UTC(),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // "no well-defined expiration": RFC 5280, 4.1.2.5
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
		SubjectKeyId:          keyID[:20], // RFC 7093; set here since the default varies with Go's version
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: cluster}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key) // Ed25519 draws no randomness
	if err != nil {
		return nil, fmt.Errorf("security: make the certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("security: make the certificate authority: %w", err)
	}
	return &authority{cluster: cluster, certificate: certificate, key: key}, nil
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// issue makes a key pair, which never leaves memory, and signs it for the node.
func (a *authority) issue(node string) (*tls.Certificate, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("security: make the key of node %q: %w", node, err)
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Troupe"}, CommonName: node},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(certificateLife),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:                  []*url.URL{Peer{Cluster: a.cluster, Node: node}.url()},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("security: sign the certificate of node %q: %w", node, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("security: sign the certificate of node %q: %w", node, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
