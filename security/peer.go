package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Peer names a node of a cluster. It is comparable.
type Peer struct {
	Cluster string
	Node    string
}

// String returns the SPIFFE ID of the node: spiffe://<cluster>/node/<node>.
func (p Peer) String() string { return p.url().String() }

func (p Peer) url() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: p.Cluster, Path: "/node/" + p.Node}
}

// PeerOf returns the node at the other end of a connection that was made with the
// TLS configuration of an [Identity], which has verified it; it does not verify
// it again. It returns an error that wraps [ErrUntrusted] if the handshake is not
// complete or the certificate does not name a node.
func PeerOf(state tls.ConnectionState) (Peer, error) {
	// After a handshake that failed the state still holds the refused certificate.
	if !state.HandshakeComplete {
		return Peer{}, fmt.Errorf("%w: the TLS handshake is not complete", ErrUntrusted)
	}
	return peerOf(state.PeerCertificates)
}

// peerOf reads the name out of an X509-SVID, whose form it checks strictly.
func peerOf(chain []*x509.Certificate) (Peer, error) {
	if len(chain) == 0 {
		return Peer{}, fmt.Errorf("%w: it showed no certificate: it is not a node of a cluster", ErrUntrusted)
	}
	leaf := chain[0]
	if len(leaf.URIs) != 1 || leaf.IsCA {
		return Peer{}, fmt.Errorf("%w: its certificate does not name one node: it is not a node of a cluster", ErrUntrusted)
	}
	return parsePeer(leaf.URIs[0])
}

func parsePeer(id *url.URL) (Peer, error) {
	node, _ := strings.CutPrefix(id.Path, "/node/")
	peer := Peer{Cluster: id.Host, Node: node}
	// Comparing the texts rules out every other way to write the same.
	if ValidateCluster(peer.Cluster) != nil || ValidateNode(peer.Node) != nil || id.String() != peer.String() {
		return Peer{}, fmt.Errorf("%w: its certificate names %.128q, which is not a node", ErrUntrusted, id)
	}
	return peer, nil
}

// verify decides whether a chain of certificates is of a node of the cluster.
func verify(chain []*x509.Certificate, roots *x509.CertPool, cluster string, usage x509.ExtKeyUsage) error {
	peer, err := peerOf(chain)
	if err != nil {
		return err
	}
	// Before the signature, which cannot be right then, for the clearer message.
	if peer.Cluster != cluster {
		return fmt.Errorf("%w: node %q is of cluster %q, not of %q", ErrWrongCluster, peer.Node, peer.Cluster, cluster)
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	if err == nil {
		return nil
	}
	advice := "give all nodes of the cluster the same secret, or certificates of the same authority"
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		advice = "have its certificate issued anew"
		if invalid.Reason == x509.Expired {
			advice = fmt.Sprintf("set the clocks of both hosts (here it is %s)", time.Now().UTC().Format(time.RFC3339))
		}
	}
	return fmt.Errorf("%w: node %q: %w: %s", ErrUntrusted, peer.Node, err, advice)
}
