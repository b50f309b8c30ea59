package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// StaticDiscovery finds the seed addresses it was given. Its methods may be called
// concurrently.
type StaticDiscovery struct {
	passive
	addresses []string
	resolver  *net.Resolver
}

// Static returns a discovery of the given seeds, each "host:port". Host names are
// resolved anew by each Find. A malformed seed is reported by Find. The addresses
// are copied.
func Static(addresses ...string) *StaticDiscovery {
	return &StaticDiscovery{addresses: slices.Clone(addresses), resolver: net.DefaultResolver}
}

// Name returns "static".
func (d *StaticDiscovery) Name() string { return "static" }

// Find returns the seeds with their hosts resolved, without this node's own
// address. The seeds serve whatever cluster is asked for. When some seeds are
// malformed (the error wraps [ErrBadAddress]) or do not resolve, the others are
// returned together with the error. The slice is the caller's.
func (d *StaticDiscovery) Find(ctx context.Context, cluster string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []string
	var failed []error
	for _, address := range d.addresses {
		resolved, err := resolve(ctx, d.resolver, address)
		if err != nil {
			failed = append(failed, err)
		}
		found = append(found, resolved...)
	}
	return d.others(found), errors.Join(failed...)
}

// resolve returns address once for each IP of its host.
func resolve(ctx context.Context, resolver *net.Resolver, address string) ([]string, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{address}, nil
	}
	ips, err := resolver.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("discovery: cannot resolve %q, check the name and the DNS server: %w", address, err)
	}
	addresses := make([]string, len(ips))
	for i, ip := range ips {
		addresses[i] = net.JoinHostPort(ip, port)
	}
	return addresses, nil
}
