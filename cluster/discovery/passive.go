package discovery

import (
	"context"
	"slices"
	"sync/atomic"
)

// passive is the announcing half of a discovery whose addresses are published by
// somebody else: it only remembers which address is its own.
type passive struct{ own atomic.Pointer[string] }

// Announce remembers address as this node's own, which Find leaves out. It
// publishes nothing. Errors wrap [ErrBadName] or [ErrBadAddress].
func (p *passive) Announce(ctx context.Context, cluster, node, address string) error {
	if err := checkAnnouncement(ctx, cluster, node, address); err != nil {
		return err
	}
	p.own.Store(&address)
	return nil
}

// Withdraw forgets this node's own address. It never fails.
func (p *passive) Withdraw(context.Context) error {
	p.own.Store(nil)
	return nil
}

// others returns addresses without duplicates and without this node's own.
func (p *passive) others(addresses []string) []string {
	own := p.own.Load()
	var others []string
	for _, address := range addresses {
		if (own == nil || address != *own) && !slices.Contains(others, address) {
			others = append(others, address)
		}
	}
	return others
}

func checkAnnouncement(ctx context.Context, cluster, node, address string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkName(cluster); err != nil {
		return err
	}
	if err := checkName(node); err != nil {
		return err
	}
	return checkAddress(address)
}
