package cluster

import (
	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// chainMinor is the minor of the wire from which on calls have their chain.
const chainMinor = 1

// chainFor returns the chain of a request as the named node gets it: none if no handler
// asks, or the node would not know what it is.
func (n *Node) chainFor(name string, e actor.Envelope) []byte {
	hops := e.Chain()
	if len(hops) == 0 {
		return nil
	}
	if p := n.directory.view().nodes[name]; p == nil || p.Minor < chainMinor {
		return nil
	}
	var b []byte
	for _, h := range hops {
		b = wire.AppendHop(b, wire.Hop(h))
	}
	return b
}

// chainOf is the inverse of chainFor, for what another node has sent. Its error is
// InvalidArgument.
func chainOf(b []byte) ([]actor.Hop, error) {
	if len(b) == 0 {
		return nil, nil
	}
	parsed, err := wire.ParseChain(b)
	if err != nil {
		return nil, &actor.Error{Code: actor.InvalidArgument, Message: err.Error(), NotRun: true}
	}
	hops := make([]actor.Hop, len(parsed))
	for i, h := range parsed {
		hops[i] = actor.Hop(h)
	}
	return hops, nil
}
