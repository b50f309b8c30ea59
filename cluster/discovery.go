package cluster

import "context"

// Discovery finds first contacts: addresses of nodes of a cluster. It need not
// be complete or right: the membership takes over from the first contact on, and
// every peer must prove that it belongs. Several run at once. Package discovery
// holds those that ship, discoverytest the conformance suite for further ones.
// Methods may be called concurrently. Each call has a context of some seconds; one that
// does not return, or panics, keeps no other discovery from its work.
type Discovery interface {
	// Name is what logs call it, such as "mdns". It is not empty.
	Name() string

	// Announce makes this node findable by others of its cluster at "host:port" until
	// Withdraw, also again after one. It may be called again: a new
	// address replaces the old one, and the same one again changes nothing. Find is called
	// before it where the address depends on who is found.
	//
	// It returns an error, and announces nothing, for a cluster or a node whose name is
	// empty, longer than 63 bytes, or has other characters than letters, digits, "-", "_"
	// and single dots; for an address without a host, or with an unspecified one such as
	// 0.0.0.0; and for a port that is missing or not 1 to 65535. If ctx has ended, the
	// error is that of ctx. A discovery that publishes nothing, such as a list of seeds,
	// checks all that, too.
	Announce(ctx context.Context, cluster, node, address string) error

	// Find returns the addresses of nodes of that cluster which are known now, without this
	// node's own, in any order. It need not have announced anything. None is no
	// error. Addresses that are returned with an error count. If ctx has ended, the error
	// is that of ctx. It is called again and again, every second or so, and once at a time.
	Find(ctx context.Context, cluster string) ([]string, error)

	// Withdraw ends what Announce began and waits for its goroutines: others do not find
	// the node any more, soon. It is idempotent, and nil without an Announce before.
	Withdraw(ctx context.Context) error
}
