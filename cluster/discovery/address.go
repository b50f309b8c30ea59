package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrBadAddress is wrapped by errors about an address that is not "host:port" with
// a concrete host and a port from 1 to 65535.
var ErrBadAddress = errors.New("discovery: bad address")

// ErrBadName is wrapped by errors about a cluster or node name that is not made of
// 1 to 63 ASCII letters, digits, '-', '_' and single dots, beginning and ending with
// a letter or digit.
var ErrBadName = errors.New("discovery: bad name")

// maxName is the longest label DNS allows (RFC 1035, section 2.3.4).
const maxName = 63

func checkName(name string) error {
	if name == "" || len(name) > maxName || !nameBytes(name) || strings.Contains(name, "..") ||
		!alphanumeric(name[0]) || !alphanumeric(name[len(name)-1]) {
		return fmt.Errorf("%w %.80q: use 1 to %d letters, digits, '-', '_' and single dots, with a letter or digit at both ends",
			ErrBadName, name, maxName)
	}
	return nil
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w %.80q: write it as host:port", ErrBadAddress, address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%w %.80q: the port must be a number from 1 to 65535", ErrBadAddress, address)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.IsUnspecified() || ip.IsMulticast() {
			return fmt.Errorf("%w %.80q: name the concrete address to connect to", ErrBadAddress, address)
		}
		return nil
	}
	// 253 is the longest host name in text form (RFC 1035, section 2.3.4).
	if host == "" || len(host) > 253 || !alphanumeric(host[0]) || !nameBytes(host) {
		return fmt.Errorf("%w %.80q: the host must be an IP address or a host name", ErrBadAddress, address)
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func nameBytes(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
