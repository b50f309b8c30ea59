package security

import (
	"crypto/tls"
	"errors"
	"strings"
)

// The errors of this package are wrapped in text that says what to do; match
// them with errors.Is. A TLS handshake returns those of its own side unchanged.
var (
	// ErrName is returned for a cluster or node name that breaks the rules of
	// [ValidateCluster] or [ValidateNode].
	ErrName = errors.New("security: invalid name")

	// ErrSecret is returned for a secret that cannot be used: missing, too short,
	// or in a file that others can read or replace.
	ErrSecret = errors.New("security: unusable secret")

	// ErrUntrusted is returned for a peer whose certificate is missing, or not
	// signed by the authority of the cluster (most likely it has another secret),
	// or not valid at this time (most likely a clock is wrong).
	ErrUntrusted = errors.New("security: untrusted peer")

	// ErrWrongCluster is returned for a certificate of another cluster.
	ErrWrongCluster = errors.New("security: wrong cluster")

	// ErrWrongPeer is returned where one node was meant and another one answered.
	ErrWrongPeer = errors.New("security: wrong peer")
)

// IsRejection reports whether err says that the remote side of a TLS connection
// refused our certificate. Its reasons are those above, mostly that its secret
// differs from ours; they are known to that side alone.
//
// With TLS 1.3 a client learns of it only from its first read after a handshake
// that went well. It may never learn of it, and meet a plain reset of the
// connection instead, if it sent data before that read. The match is on the
// text, since gRPC turns errors into text.
func IsRejection(err error) bool {
	const badCertificate = tls.AlertError(42) // RFC 8446, 6.2; what crypto/tls sends when VerifyConnection fails
	return err != nil && strings.Contains(err.Error(), "remote error: "+badCertificate.Error())
}
