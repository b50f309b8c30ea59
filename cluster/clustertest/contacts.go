package clustertest

import (
	"context"
	"sync"

	"github.com/troupe-go/troupe/cluster"
)

// contacts are where the nodes of a Cluster find each other: the last address of
// each, whether it is still there or not.
type contacts struct {
	mu     sync.Mutex
	byNode map[string]string
}

// contact is the cluster.Discovery of one node.
type contact struct {
	all *contacts

	mu      sync.Mutex
	address string
}

var _ cluster.Discovery = (*contact)(nil)

func (*contact) Name() string { return "clustertest" }

func (c *contact) Announce(_ context.Context, _, node, address string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.address = address
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.all.byNode[node] = address
	return nil
}

func (c *contact) Find(context.Context, string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	var addresses []string
	for _, a := range c.all.byNode {
		if a != c.address {
			addresses = append(addresses, a)
		}
	}
	return addresses, nil
}

// Withdraw leaves the address behind, as a node that crashes does.
func (*contact) Withdraw(context.Context) error { return nil }
