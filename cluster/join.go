package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/cluster/internal/port"
	"github.com/troupe-go/troupe/cluster/internal/transport"
	"github.com/troupe-go/troupe/security"
)

// What a connection to the node's one port is for, by ALPN (RFC 7301).
const (
	actorProtocol  = "h2"
	gossipProtocol = "troupe-gossip/1"
	coreProtocol   = "troupe-raft/1"
)

// Join starts a node and returns once it has looked for its peers the first time;
// it goes on looking, and being found, until [Node.Leave]. Nobody need be there
// yet: the first node is a cluster of one.
//
// Without options and environment it meets the other processes of this user on
// this host, with a secret that is made once. With TROUPE_SECRET, or
// [WithSecret], it meets the nodes of its network that have the same.
//
// A node without a name is called after its host, with a number. If a node of another
// host with the same name is there already, this one is called otherwise, and keeps that
// name in its state folder.
//
// Errors are actor.InvalidArgument for options that make no sense,
// [ErrNameTaken], [ErrWrongSecret] or [ErrVersion] for a seed that refuses this node,
// persistence.ErrVersion for a state folder of another major version, and what the system
// says of an address that cannot be listened on.
func Join(ctx context.Context, options ...Option) (*Node, error) {
	c, err := newConfig(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	for renamed := 0; ; renamed++ {
		n, err := join(ctx, c)
		if err == nil {
			n.log.Info("joined", "members", len(n.Members()))
			return n, nil
		}
		// The name of the host is not the user's choice, so that there may be another.
		if n.rename == nil || !errors.Is(err, ErrNameTaken) || renamed == maxRenames || ctx.Err() != nil {
			return nil, fmt.Errorf("cluster: join %q: %w", c.Cluster, err)
		}
		if renaming := n.rename(); renaming != nil {
			return nil, fmt.Errorf("cluster: join %q: %w; another name cannot be kept: %w", c.Cluster, err, renaming)
		}
		n.log.Warn("another host has the name of this one: its nodes are called otherwise from now on; TROUPE_NAME chooses a name", "reason", err)
	}
}

const maxRenames = 3

// join starts a node. If it fails, nothing of the node is left but its name and its log.
func join(ctx context.Context, c *config) (*Node, error) {
	n := &Node{
		cluster:     c.Cluster,
		incarnation: newIncarnation(),
		started:     time.Now(),
		log:         c.log,
		network:     c.network,
		host:        c.host,
		ready:       make(chan struct{}),
		left:        make(chan struct{}),
	}
	if c.Name == "" {
		n.rename = func() error { return c.renameHost(n.name) }
	}
	n.policies.set(c.Services)
	err := n.start(ctx, c)
	close(n.ready)
	if err != nil {
		// The caller gets no node to call Leave on.
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTimeout)
		defer cancel()
		_ = n.Leave(stop)
	}
	return n, err
}

func (n *Node) start(ctx context.Context, c *config) error {
	keys, err := c.derive()
	if err != nil {
		return err
	}
	if n.name, n.slot, err = c.claim(ctx); err != nil {
		return err
	}
	n.log = n.log.With("node", n.name)
	if n.identity, err = keys.Identity(n.name); err != nil {
		return err
	}
	loopback, err := n.listen(ctx, c)
	if err != nil {
		return err
	}
	if err := n.connect(c, keys, loopback); err != nil {
		return err
	}
	if err := n.finder.start(ctx, n.address); err != nil {
		return err
	}
	if refusal := n.finder.refused(); errors.Is(refusal, gossip.ErrVersion) {
		return actor.Errorf(ErrVersion.Code, "a seed does not understand this node: %w (%w)", ErrVersion, refusal)
	} else if refusal != nil {
		return actor.Errorf(actor.Unauthenticated, "a seed does not belong to this cluster; compare the names and the secrets: %w (%w)", ErrWrongSecret, refusal)
	}
	for _, m := range n.gossip.Members() {
		if err := n.nameTaken(ctx, m); err != nil {
			return err
		}
	}
	if err := n.gossip.Settle(ctx); err != nil { // what gossip knows now, the caller finds here
		return err
	}
	return n.follow(c)
}

// listen opens the one port, and decides where others reach it.
func (n *Node) listen(ctx context.Context, c *config) (loopback bool, err error) {
	last := ""
	if n.slot != nil {
		last = n.slot.LastAddress()
	}
	listener, packets, err := c.open(ctx, last)
	if err != nil {
		return false, err
	}
	n.port, err = port.Open(port.Config{
		Listener:  listener,
		Packets:   packets,
		TLS:       n.identity.ServerTLS(actorProtocol, gossipProtocol, coreProtocol),
		Protocols: []string{actorProtocol, gossipProtocol, coreProtocol},
		Welcomed:  n.welcomed,
		Logger:    n.log,
	})
	if err != nil {
		_, _ = listener.Close(), packets.Close()
		return false, err
	}
	loopback = isLoopback(cmp.Or(c.Advertise, listener.Addr().String()))
	n.finder = newFinder(n, c.ways(loopback))
	if err := n.advertise(ctx, c); err != nil {
		return false, err
	}
	if n.slot != nil {
		if err := n.slot.SaveAddress(n.address); err != nil {
			return false, err
		}
	}
	if loopback && c.onLoopback() {
		n.log.Info("listening on loopback only: no secret was chosen; set TROUPE_SECRET, or the setting secret, to let other hosts join", "address", n.address)
	} else {
		n.log.Info("listening", "address", n.address)
	}
	return loopback, nil
}

// connect starts the actors, their links and the gossip.
func (n *Node) connect(c *config, keys *security.Credentials, loopback bool) error {
	n.inbound = &inbound{node: n}
	n.directory = newDirectory(n)
	n.system = actor.NewSystem(append([]actor.SystemOption{
		actor.WithLogger(n.log), actor.WithNode(n.name), actor.WithResolver(n.resolve),
	}, c.system...)...)
	var err error
	n.transport, err = transport.New(transport.Config{
		Node:        n.name,
		Incarnation: n.incarnation,
		Dial:        n.network.Dial,
		ClientTLS:   func(peer string) *tls.Config { return n.identity.ClientTLS(peer, actorProtocol) },
		PeerName:    peerName,
		Handler:     n.inbound,
		Dropped:     n.dropped,
		Explain:     n.explain,
		Seen:        n.seenAt,
		MaxMessage:  int(c.MaxMessage),
		Logger:      n.log,
	})
	if err != nil {
		return err
	}
	timing := c.Timing
	if timing == defaultTiming && loopback {
		timing = Local
	}
	n.gossip, err = gossip.Open(gossip.Config{
		Cluster:     n.cluster,
		Node:        n.name,
		Incarnation: n.incarnation,
		Started:     n.started,
		Key:         keys.GossipKey(),
		Packets:     n.port.Packets(),
		Streams:     n.port.Listener(gossipProtocol),
		Dial:        n.dialGossip,
		Reach:       n.reach,
		Advertise:   netip.MustParseAddrPort(n.address),
		Preset:      timing.preset(),
		Events:      n.observe,
		Logger:      n.log,
	})
	if err != nil {
		return err
	}
	if err := n.openCore(c, timing); err != nil {
		return err
	}
	n.running.Go(func() {
		if err := n.transport.Serve(n.port.Listener(actorProtocol)); err != nil {
			n.fail(err)
		}
	})
	return nil
}

// dialGossip connects to whichever node is at an address.
func (n *Node) dialGossip(ctx context.Context, address string) (net.Conn, error) {
	conn, err := n.dialTLS(ctx, address, n.identity.ClientTLS("", gossipProtocol))
	if err != nil {
		return nil, err
	}
	if n.isSelf(conn) {
		return gossip.Loop{Conn: conn}, nil
	}
	return conn, nil
}

// reach tries to connect to another node's port.
func (n *Node) reach(ctx context.Context, address string) error {
	conn, err := n.network.Dial(ctx, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// dropped is told of a cast that a link lost.
func (n *Node) dropped(node, to, message string, reason error) {
	n.system.DeadLetter(actor.DeadLetter{
		To: "actor://" + node + "/" + to, Name: message, Reason: fromTransport(reason),
	})
}

func peerName(info credentials.AuthInfo) (string, error) {
	state, ok := info.(credentials.TLSInfo)
	if !ok {
		return "", fmt.Errorf("%w: the connection is not encrypted", security.ErrUntrusted)
	}
	p, err := security.PeerOf(state.State)
	return p.Node, err
}

func newIncarnation() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails: see crypto/rand
		if i := binary.LittleEndian.Uint64(b[:]); i != 0 {
			return i
		}
	}
}
