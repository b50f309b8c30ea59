package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/catalog"
	"github.com/troupe-go/troupe/cluster/internal/consensus"
	"github.com/troupe-go/troupe/cluster/internal/transport"
	"github.com/troupe-go/troupe/cluster/internal/wire"
	"github.com/troupe-go/troupe/security"
)

// corePath is where a node takes the requests of the others to its consistent core. No
// actor has such a path.
const corePath = "\x00core"

// openCore makes the node a part of the consistent core: nothing runs there until
// somebody uses it, or if the node has a replica from before.
func (n *Node) openCore(c *config, timing Timing) error {
	dir := ""
	if n.slot != nil || c.StateDir != "" {
		state, err := c.state()
		if err != nil {
			return err
		}
		dir = filepath.Join(state, "core", n.cluster, n.name)
	}
	presets := map[Timing]func() consensus.Timing{Local: consensus.Local, WAN: consensus.WAN}
	settle := map[Timing]time.Duration{Local: time.Second / 2, WAN: 3 * time.Second}
	preset, wait := consensus.LAN, 1500*time.Millisecond
	if p, ok := presets[timing]; ok {
		preset, wait = p, settle[timing]
	}
	core, err := consensus.New(consensus.Config{
		Node:           n.name,
		Dir:            dir,
		Logger:         n.log,
		Timing:         preset(),
		Voters:         c.Voters,
		Expect:         c.Expect,
		Settle:         wait,
		Members:        n.coreMembers,
		MembersChanged: n.directory.change,
		Announce: func(a consensus.Announcement) {
			n.directory.announce(catalog.Core{ID: a.Core, Server: a.Server})
		},
		Dial:     n.dialCore,
		Listener: n.port.Listener(coreProtocol),
		Peer:     corePeer,
		Call:     n.callCore,
	})
	if err != nil {
		return err
	}
	n.store = &Store{core: core}
	return nil
}

// coreMembers are the nodes of the cluster, as this one sees them.
func (n *Node) coreMembers() []consensus.Member {
	d := n.directory
	d.mu.Lock()
	own := d.core
	d.mu.Unlock()
	member := func(name string, started time.Time, incarnation uint64, c catalog.Core) consensus.Member {
		return consensus.Member{Name: name, Started: started, Incarnation: incarnation, Core: consensus.Announcement{Core: c.ID, Server: c.Server}}
	}
	members := []consensus.Member{member(n.name, n.started, n.incarnation, own)}
	for _, p := range d.view().nodes {
		members = append(members, member(p.Node, p.Started, p.Incarnation, p.core))
	}
	return members
}

// dialCore connects to the core's listener of another node.
func (n *Node) dialCore(ctx context.Context, name string) (net.Conn, error) {
	p := n.directory.view().nodes[name]
	if p == nil {
		return nil, unavailable("node %q is not a member of cluster %q now", name, n.cluster)
	}
	conn, err := n.dialTLS(ctx, p.Address, n.identity.ClientTLS(name, coreProtocol))
	if err != nil { // a nil *tls.Conn would not be a nil net.Conn
		return nil, n.explain(name, p.Address, err)
	}
	return conn, nil
}

// corePeer returns the node that has made a connection of coreProtocol, by its
// certificate.
func corePeer(conn net.Conn) (string, error) {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return "", fmt.Errorf("cluster: %w: a connection without TLS", security.ErrUntrusted)
	}
	peer, err := security.PeerOf(c.ConnectionState())
	return peer.Node, err
}

// callCore sends a request to the core of another node. A core may be asked twice, so
// nobody waits for one whose process hangs.
func (n *Node) callCore(ctx context.Context, name string, request []byte) ([]byte, error) {
	p := n.directory.view().nodes[name]
	if p == nil {
		return nil, unavailable("node %q is not a member of cluster %q now", name, n.cluster)
	}
	link := n.transport.Peer(p.Node, p.Address, p.Incarnation)
	reply, err := link.CallRepeatable(ctx, &wire.Envelope{To: corePath, Message: "core", Payload: request, System: true})
	if err != nil {
		return nil, fromTransport(err)
	}
	return reply.Payload, nil
}

// core answers a request of another node's core.
func (in *inbound) core(from *transport.Inbound, l *lane, v *wire.View) {
	id := v.ID
	ctx := newCallContext(l.base, v.Timeout)
	if !l.begin(id, ctx) {
		return
	}
	n := in.node
	if n.store == nil { // the node is starting
		l.end(id)
		from.Send(failure(id, unavailable("node %q is starting", n.name)))
		return
	}
	request := slices.Clone(v.Payload)
	n.running.Go(func() {
		defer l.end(id)
		reply, err := n.store.core.Handle(ctx, from.Node(), request)
		if err != nil {
			from.Send(failure(id, actor.AsError(err)))
			return
		}
		from.Send(&wire.Envelope{Kind: wire.Reply, ID: id, Payload: reply, System: true})
	})
}
