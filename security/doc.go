// Package security gives a node its keys and its certificate, from one secret.
//
// All nodes of a cluster share a [Secret]. [Derive] stretches it into the
// [Credentials] of the cluster: the key that encrypts gossip, and a certificate
// authority that every node computes for itself and that comes out the same on
// each of them. From it a node issues its own short-lived certificate, its
// [Identity], which names it as
//
//	spiffe://<cluster>/node/<node>
//
// in the manner of SPIFFE (https://spiffe.io, X509-SVID). The TLS configurations
// of an Identity speak TLS 1.3 only, show that certificate and accept only peers
// of the same cluster. There is no way to switch this off.
//
// # What the secret protects
//
// Whoever holds the secret is a node, and can issue a certificate for any name
// in the cluster: it divides those inside from those outside, not one node from
// another. Where nodes must not be able to pose as each other, let a certificate
// authority of your own sign their certificates and use [LoadCertificates].
//
// Anyone who can connect to a node can try guesses of its secret offline;
// Argon2id (RFC 9106) makes each guess cost 19 MiB and tens of milliseconds. It
// slows the search for a weak secret and does not make it a strong one: use a
// random one, as [LoadOrCreateSecret] does.
//
// The package keeps no global state, starts no goroutine and logs nothing. It
// reads the clock through package time alone, so it works in a testing/synctest
// bubble.
package security
