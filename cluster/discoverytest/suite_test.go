package discoverytest_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/discoverytest"
)

// board is a medium in memory: addresses by cluster and node.
type board struct {
	mu      sync.Mutex
	entries map[[2]string]string
}

type reader struct {
	board *board
	key   [2]string
}

func (r *reader) Name() string { return "board" }

func (r *reader) Announce(ctx context.Context, cluster, node, address string) error {
	ip, err := netip.ParseAddrPort(address)
	if err != nil || ip.Port() == 0 || ip.Addr().IsUnspecified() {
		return errors.New("bad address")
	}
	if cluster == "" || node == "" || strings.ContainsAny(cluster+node, "/") || len(node) > 255 {
		return errors.New("bad name")
	}
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	delete(r.board.entries, r.key)
	r.key = [2]string{cluster, node}
	r.board.entries[r.key] = address
	return ctx.Err()
}

func (r *reader) Find(ctx context.Context, cluster string) ([]string, error) {
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	var found []string
	for key, address := range r.board.entries {
		if key != r.key && key[0] == cluster {
			found = append(found, address)
		}
	}
	return found, ctx.Err()
}

func (r *reader) Withdraw(context.Context) error {
	r.board.mu.Lock()
	defer r.board.mu.Unlock()
	delete(r.board.entries, r.key)
	return nil
}

func TestSuiteAcceptsADiscoveryInMemory(t *testing.T) {
	discoverytest.RunPublishing(t, func(t *testing.T, addresses []string) []cluster.Discovery {
		medium := &board{entries: make(map[[2]string]string)}
		var nodes []cluster.Discovery
		for range addresses {
			nodes = append(nodes, &reader{board: medium})
		}
		return nodes
	})
}
