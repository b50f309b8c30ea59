package cluster

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
)

// Two processes may have the name of one node: a former one that died a moment
// ago, which is replaced, or one that lives, of which the later must go.

// nameTaken returns an error if a live process that started before this one has
// this node's name. Gossip may take seconds to notice that one has died; so it is
// asked itself.
func (n *Node) nameTaken(ctx context.Context, m gossip.Member) error {
	self := peer{Member: n.gossip.Self()}
	switch {
	case m.Node != n.name, m.Incarnation == n.incarnation:
		return nil
	case m.Address == n.address:
		return nil // its port is ours: it is dead
	case !self.newer(&peer{Member: m}):
		return nil // it will go
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := n.dialTLS(ctx, m.Address, n.identity.ClientTLS(n.name, gossipProtocol))
	if err != nil {
		return nil
	}
	_ = conn.Close()
	advice := "give this one another name"
	if n.rename != nil {
		advice = "start this one again: it will have another name"
	}
	return actor.Errorf(actor.AlreadyExists, "a live node at %s is called %q, too; %s: %w", m.Address, n.name, advice, ErrNameTaken)
}

const probeTimeout = 2 * time.Second

func (n *Node) dialTLS(ctx context.Context, address string, config *tls.Config) (*tls.Conn, error) {
	raw, err := n.network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	n.met(conn)
	return conn, nil
}
