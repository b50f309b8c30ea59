package clustertest

import (
	"context"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/cluster"
)

// contacts are where the nodes of a Cluster find each other: all addresses that
// were ever in use, whether somebody is still there or not.
type contacts struct {
	mu        sync.Mutex
	addresses []string
}

// contact is the cluster.Discovery of one node.
type contact struct {
	all *contacts

	mu      sync.Mutex
	address string
}

var _ cluster.Discovery = (*contact)(nil)

func (*contact) Name() string { return "clustertest" }

func (c *contact) Announce(_ context.Context, _, _, address string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.address = address
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if !slices.Contains(c.all.addresses, address) {
		c.all.addresses = append(c.all.addresses, address)
	}
	return nil
}

func (c *contact) Find(context.Context, string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.all.addresses), func(a string) bool { return a == c.address }), nil
}

// Withdraw leaves the address behind, as a node that crashes does.
func (*contact) Withdraw(context.Context) error { return nil }
