package security

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"

	"golang.org/x/crypto/argon2"
)

// The costs of Argon2id (RFC 9106) that OWASP's Password Storage Cheat Sheet asks
// for at least. A node pays them once, when it starts.
const (
	argonPasses  = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1
	keySize      = 32 // bytes; AES-256 for gossip, the seed of an Ed25519 key for the CA
)

// Credentials are what the secret of a cluster gives a node: the gossip key and
// the means to get identities. They are immutable and may be used concurrently.
type Credentials struct {
	cluster string
	node    string
	// Keys are in functions, so that fmt has none to print.
	gossip func() []byte
	roots  *x509.CertPool
	files  *rereadFiles // in place of roots, if certificates come from files
	issue  func(node string) (*tls.Certificate, error)
}

// Derive computes the credentials of a cluster from its secret. Every node that
// is given the same two gets the same gossip key and the same certificate
// authority, on any machine and with any release that calls them v1. It takes
// tens of milliseconds and 19 MiB: call it once.
//
// It returns an error that wraps [ErrName] or [ErrSecret] (the zero Secret).
func Derive(secret Secret, cluster string) (*Credentials, error) {
	stretched, err := stretch(secret, cluster)
	if err != nil {
		return nil, err
	}
	gossip, err := expand(stretched, "gossip key")
	if err != nil {
		return nil, err
	}
	seed, err := expand(stretched, "certificate authority")
	if err != nil {
		return nil, err
	}
	ca, err := newAuthority(cluster, seed)
	if err != nil {
		return nil, err
	}
	return &Credentials{
		cluster: cluster,
		gossip:  func() []byte { return slices.Clone(gossip) },
		roots:   ca.roots(),
		issue:   ca.issue,
	}, nil
}

// Cluster returns the name of the cluster.
func (c *Credentials) Cluster() string { return c.cluster }

// Node returns the only node that these credentials have a certificate for, or
// "" if they can issue one for any node, as those from [Derive] can.
func (c *Credentials) Node() string { return c.node }

// GossipKey returns a copy of the 32-byte key that encrypts gossip.
func (c *Credentials) GossipKey() []byte { return c.gossip() }

// Identity returns an identity for the node of that name. It returns an error
// that wraps [ErrName], or [ErrWrongPeer] if the credentials are for another
// node; see [Credentials.Node].
func (c *Credentials) Identity(node string) (*Identity, error) {
	if err := ValidateNode(node); err != nil {
		return nil, err
	}
	if c.node != "" && c.node != node {
		return nil, fmt.Errorf("%w: the certificate is of node %q, not of %q: give the node that name, or the other certificate",
			ErrWrongPeer, c.node, node)
	}
	id := &Identity{
		peer:  Peer{Cluster: c.cluster, Node: node},
		roots: c.roots,
		files: c.files,
		issue: func() (*tls.Certificate, error) { return c.issue(node) },
	}
	if _, err := id.certificate(); err != nil {
		return nil, err
	}
	return id, nil
}

// stretch makes the guessing of secrets expensive (Argon2id, RFC 9106).
func stretch(secret Secret, cluster string) ([]byte, error) {
	if err := ValidateCluster(cluster); err != nil {
		return nil, err
	}
	if secret.IsZero() {
		return nil, fmt.Errorf("%w: none was given: use security.ParseSecret or security.LoadOrCreateSecret", ErrSecret)
	}
	return argon2.IDKey([]byte(*secret.text), []byte("troupe/v1/"+cluster),
		argonPasses, argonMemory, argonThreads, keySize), nil
}

// expand derives the key for one purpose (HKDF, RFC 5869): knowing it gives away
// neither the secret nor the keys for other purposes.
func expand(stretched []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, stretched, nil, "troupe/v1/"+purpose, keySize)
	if err != nil {
		return nil, fmt.Errorf("security: derive the %s: %w", purpose, err)
	}
	return key, nil
}
