package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// DNSDiscovery finds the addresses behind a DNS name. Its methods may be called
// concurrently.
type DNSDiscovery struct {
	passive
	lookups
	name string
}

// DNS returns a discovery of the nodes that DNS lists under name. A name that
// begins with an underscore ("_troupe._tcp.example.com") is looked up as service
// records, which carry the ports (RFC 2782). Any other must be "host:port", and
// each address record of host is a node at that port. A malformed name is reported
// by Find; the error wraps [ErrBadAddress].
func DNS(name string, options ...DNSOption) *DNSDiscovery {
	d := &DNSDiscovery{name: name, lookups: lookups{resolver: net.DefaultResolver}}
	for _, option := range options {
		option.applyDNS(d)
	}
	return d
}

// Name returns "dns".
func (d *DNSDiscovery) Name() string { return "dns" }

// Find looks the name up and returns the addresses, without this node's own. The
// name serves whatever cluster is asked for. A name that does not exist gives an
// empty result: service records often appear with the first node. When the target
// of one service record does not resolve, the others are returned together with
// the error. It waits a second for host names; a lookup that takes longer goes on, and a
// later Find has its result. The slice is the caller's.
func (d *DNSDiscovery) Find(ctx context.Context, cluster string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	targets := []string{d.name}
	var failed error
	if strings.HasPrefix(d.name, "_") {
		targets, failed = d.all(ctx, targets, d.services)
	}
	found, err := d.all(ctx, targets, func(ctx context.Context, target string) ([]string, error) {
		addresses, err := d.host(ctx, target)
		if notFound(err) {
			err = nil
		}
		return addresses, err
	})
	return d.others(found), errors.Join(failed, err)
}

// Withdraw forgets this node's own address and ends the lookups that are under way.
func (d *DNSDiscovery) Withdraw(ctx context.Context) error {
	return errors.Join(d.passive.Withdraw(ctx), d.stop(ctx))
}

// services returns the "host:port" pairs of service records.
func (d *DNSDiscovery) services(ctx context.Context, name string) ([]string, error) {
	// 255 is the longest domain name (RFC 1035, section 2.3.4).
	if len(name) > 255 || !nameBytes(name) {
		return nil, fmt.Errorf("%w %.80q: write host:port or _service._proto.domain", ErrBadAddress, name)
	}
	_, records, err := d.resolver.LookupSRV(ctx, "", "", name)
	// LookupSRV returns the well-formed records beside an error about the others.
	if err != nil && len(records) == 0 {
		if notFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("discovery: cannot look up service records of %q, check the DNS server: %w", name, err)
	}
	var targets []string
	for _, record := range records {
		// A target of "." says that the service is not offered (RFC 2782).
		if record.Target != "." && record.Port != 0 {
			targets = append(targets, net.JoinHostPort(record.Target, strconv.Itoa(int(record.Port))))
		}
	}
	return targets, nil
}

func notFound(err error) bool {
	var dnsError *net.DNSError
	return errors.As(err, &dnsError) && dnsError.IsNotFound
}
