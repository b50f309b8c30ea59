package cluster

import "syscall"

// preferLasting asks for an address that lasts, in place of a temporary one of IPv6
// (RFC 5014, RFC 8981). Where the system does not know that, nothing is lost.
func preferLasting(_, _ string, conn syscall.RawConn) error {
	const (
		addressPreferences = 72 // IPV6_ADDR_PREFERENCES of linux/in6.h
		preferPublic       = 2  // IPV6_PREFER_SRC_PUBLIC
	)
	return conn.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, addressPreferences, preferPublic)
	})
}
