package cluster

import (
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/catalog"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/cluster/internal/transport"
)

// Member is a node as another one sees it.
type Member struct {
	Name     string
	Address  string    // "ip:port"
	Started  time.Time // by the node's own clock
	Services []string  // names, sorted
}

// Instance is one actor that serves under the name of a service.
type Instance struct {
	Node string // name of the node it is on
	Path string // of the actor within its node
}

// String returns the path of the actor, for actor.Resolve.
func (i Instance) String() string { return "actor://" + i.Node + "/" + i.Path }

// instance is an Instance and the way there.
type instance struct {
	Instance
	key       instanceKey
	recipient actor.Recipient
}

// instanceKey tells an instance from one of an earlier run with the same name.
type instanceKey struct {
	incarnation uint64 // of the node
	uid         uint64 // of the actor
}

// peer is a process of another node, from when gossip reports it until it is lost.
type peer struct {
	gossip.Member
	services  []catalog.Service
	core      catalog.Core
	announced map[string][]byte // by the name of the announcement

	link atomic.Pointer[transport.Peer] // once it was used
}

// newer reports whether p, of the same name as other, is the later process.
func (p *peer) newer(other *peer) bool {
	if !p.Started.Equal(other.Started) {
		return p.Started.After(other.Started)
	}
	return p.Incarnation > other.Incarnation
}
