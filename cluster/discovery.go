package cluster

import "context"

// Discovery finds first contacts: addresses of nodes of a cluster. It need not
// be complete or right: the membership takes over from the first contact on, and
// every peer must prove that it belongs. Several run at once. Package discovery
// holds those that ship, discoverytest the conformance suite for further ones.
// Methods may be called concurrently. Each call has a context of some seconds; one that
// does not return, or panics, keeps no other discovery from its work.
type Discovery interface {
	// Name is what logs call it, such as "mdns".
	Name() string

	// Announce makes this node findable at "host:port" until Withdraw. It may be called
	// again, with another address. Find is called before it where the address depends on
	// who is found.
	Announce(ctx context.Context, cluster, node, address string) error

	// Find returns the addresses known now, without this node's own. None is no
	// error. Addresses that are returned with an error count. It is called again and
	// again, every second or so, and once at a time.
	Find(ctx context.Context, cluster string) ([]string, error)

	// Withdraw ends what Announce began and waits for its goroutines. It is
	// idempotent.
	Withdraw(ctx context.Context) error
}
