// Package port owns the one port of a node: it accepts its TCP connections, does
// their TLS handshakes, and hands each to whom its ALPN protocol (RFC 7301) is for.
//
// Whoever can reach the port can cost it little: a handshake has a deadline, only
// so many run at once, and a connection that nobody picks up is closed. No client
// can keep another from being accepted for longer than the handshake deadline.
package port
