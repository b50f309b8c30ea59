package security

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const renewalPause = time.Minute // between attempts to renew a certificate that is still valid

// Identity proves to other nodes which node this is, and checks who they are. A
// certificate that [Derive]'s authority issues is valid for 24 hours, and since an
// hour ago for peers whose clock is behind. The first handshake after two thirds
// of its life replaces it, key and all; one from a file is replaced when the file changes.
// The methods may be called concurrently.
type Identity struct {
	peer  Peer
	roots *x509.CertPool
	files *rereadFiles // in place of roots; nil if the certificate is issued here
	issue func() (*tls.Certificate, error)

	mu      sync.Mutex // guards what is below
	current *tls.Certificate
	renewAt time.Time
	changes uint64 // of the files, when the certificate was taken from them
}

// String returns the SPIFFE ID of the node: spiffe://<cluster>/node/<node>.
func (id *Identity) String() string { return id.peer.String() }

// Format writes the SPIFFE ID, whatever the verb: some verbs make fmt follow
// pointers, to the private key.
func (id *Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, id.String()) }

// ServerTLS returns a new configuration for connections that other nodes open. It
// speaks TLS 1.3 only and fails the handshake, with an error that wraps
// [ErrUntrusted] or [ErrWrongCluster], of clients that are not nodes of the
// cluster. The protocols are offered by ALPN (RFC 7301) in that order.
//
// Sessions are not resumed, so each connection is verified in full; one that is
// open stays so after the certificates have run out.
func (id *Identity) ServerTLS(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: slices.Clone(protocols),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return id.certificate()
		},
		ClientAuth: tls.RequireAnyClientCert, // verified below, where the error can be of ours
		VerifyConnection: func(state tls.ConnectionState) error {
			return id.verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth)
		},
		SessionTicketsDisabled: true,
	}
}

// ClientTLS returns a new configuration for connections to the named node, or to
// any node of the cluster if node is "". It speaks TLS 1.3 only and fails the
// handshake with an error that wraps [ErrUntrusted], [ErrWrongCluster] or
// [ErrWrongPeer]. The host name or address that was dialled does not matter. The
// protocols are offered by ALPN (RFC 7301) in that order.
//
// A client that was refused by the server learns so from its first read; see
// [IsRejection].
func (id *Identity) ClientTLS(node string, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: slices.Clone(protocols),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return id.certificate()
		},
		// Go's own check is for host names. VerifyConnection does all of it, for the
		// SPIFFE ID instead, and runs in every handshake.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := id.verify(state.PeerCertificates, x509.ExtKeyUsageServerAuth); err != nil {
				return err
			}
			peer, err := peerOf(state.PeerCertificates)
			switch {
			case err != nil || node == "" || peer.Node == node:
				return err
			case peer == id.peer:
				return fmt.Errorf("%w: the address of node %q leads back to node %q itself: %q is to advertise one where others reach it (TROUPE_ADVERTISE)", ErrWrongPeer, node, peer.Node, node)
			}
			return fmt.Errorf("%w: node %q answered where %q was expected: the address is now of another node", ErrWrongPeer, peer.Node, node)
		},
	}
}

// certificate returns the certificate to show, renewed if it is time.
func (id *Identity) certificate() (*tls.Certificate, error) {
	id.mu.Lock()
	defer id.mu.Unlock()
	now := time.Now()
	changed := false
	if id.files != nil {
		changes := id.files.changes()
		changed, id.changes = changes != id.changes, changes
	}
	// A clock that was set back leaves us with a certificate of the future.
	if id.current != nil && !changed && now.Before(id.renewAt) && !now.Before(id.current.Leaf.NotBefore) {
		return id.current, nil
	}
	fresh, err := id.issue()
	switch {
	case err == nil:
		id.current = fresh
	case id.current == nil:
		return nil, err
	case now.After(id.current.Leaf.NotAfter):
		return nil, fmt.Errorf("security: the certificate of node %q has run out and cannot be renewed: %w", id.peer.Node, err)
	}
	leaf := id.current.Leaf
	id.renewAt = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 3 * 2)
	if soonest := now.Add(renewalPause); id.renewAt.Before(soonest) {
		id.renewAt = soonest
	}
	return id.current, nil
}
