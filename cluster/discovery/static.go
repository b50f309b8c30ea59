package discovery

import (
	"context"
	"errors"
	"net"
	"slices"
)

// StaticDiscovery finds the seed addresses it was given. Its methods may be called
// concurrently.
type StaticDiscovery struct {
	passive
	lookups
	addresses []string
}

// Static returns a discovery of the given seeds, each "host:port". Host names are
// resolved anew by each Find. A malformed seed is reported by Find. The addresses
// are copied.
func Static(addresses ...string) *StaticDiscovery {
	return &StaticDiscovery{addresses: slices.Clone(addresses), lookups: lookups{resolver: net.DefaultResolver}}
}

// Name returns "static".
func (d *StaticDiscovery) Name() string { return "static" }

// Find returns the seeds with their hosts resolved, without this node's own
// address. The seeds serve whatever cluster is asked for. When some seeds are
// malformed (the error wraps [ErrBadAddress]) or do not resolve, the others are
// returned together with the error. It waits a second for host names; a lookup that
// takes longer goes on, and a later Find has its result. The slice is the caller's.
func (d *StaticDiscovery) Find(ctx context.Context, cluster string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, err := d.all(ctx, d.addresses, d.host)
	return d.others(found), err
}

// Withdraw forgets this node's own address and ends the lookups that are under way.
func (d *StaticDiscovery) Withdraw(ctx context.Context) error {
	return errors.Join(d.passive.Withdraw(ctx), d.stop(ctx))
}
