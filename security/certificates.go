package security

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// CertificateFiles are the paths of PEM files with the certificate of a node.
type CertificateFiles struct {
	CA          string // the certificates of the authorities that sign for the cluster
	Certificate string // the node's certificate, followed by intermediates if any
	Key         string // the private key of Certificate
}

// LoadCertificates returns credentials for one node that has its certificate from
// an authority of your own, such as SPIRE, Vault or cert-manager. The certificate
// must carry spiffe://<cluster>/node/<node> as its only URI name, and be good for
// both server and client authentication; the node's name is read from it. The
// gossip key comes from the secret, as with [Derive].
//
// The files are read again while the node runs: replace them in place. New connections
// use what they say a second later at most; those that are open stay. Files that cannot
// be read, or do not fit each other yet, change nothing: the last good certificate, and
// the last good authorities, stay in use. To replace an authority, add the next one to the CA
// file of all nodes, then give all of them new certificates, then remove the former one.
//
// It returns errors that wrap [ErrName], [ErrSecret], [ErrUntrusted] (not signed
// by CA, or not valid now), [ErrWrongCluster], or the error of reading a file.
func LoadCertificates(secret Secret, cluster string, files CertificateFiles) (*Credentials, error) {
	stretched, err := stretch(secret, cluster)
	if err != nil {
		return nil, err
	}
	gossip, err := expand(stretched, "gossip key")
	if err != nil {
		return nil, err
	}
	read, peer, err := openFiles(files, cluster)
	if err != nil {
		return nil, err
	}
	return &Credentials{
		cluster: cluster,
		node:    peer.Node,
		gossip:  func() []byte { return slices.Clone(gossip) },
		files:   read,
		issue:   read.issue,
	}, nil
}

// load reads the node's certificate and checks it as a peer would.
func (f CertificateFiles) load(cluster string, roots *x509.CertPool) (*tls.Certificate, Peer, error) {
	pair, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, Peer{}, fmt.Errorf("security: read the certificate of the node: %w", err)
	}
	chain := make([]*x509.Certificate, len(pair.Certificate))
	for i, der := range pair.Certificate {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, Peer{}, fmt.Errorf("security: read the certificate of the node: %s: %w", f.Certificate, err)
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := verify(chain, roots, cluster, usage); err != nil {
			return nil, Peer{}, fmt.Errorf("%s: %w", f.Certificate, err)
		}
	}
	pair.Leaf = chain[0]
	peer, err := peerOf(chain)
	return &pair, peer, err
}
