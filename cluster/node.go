package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/discovery"
	"github.com/troupe-go/troupe/cluster/internal/catalog"
	"github.com/troupe-go/troupe/cluster/internal/consensus"
	"github.com/troupe-go/troupe/cluster/internal/gossip"
	"github.com/troupe-go/troupe/cluster/internal/port"
	"github.com/troupe-go/troupe/cluster/internal/transport"
	"github.com/troupe-go/troupe/security"
)

// Node is this process as a member of a cluster. Its methods may be called
// concurrently. Nodes of one process share nothing.
type Node struct {
	cluster     string
	name        string
	address     string
	incarnation uint64
	started     time.Time
	log         *slog.Logger
	network     Network
	host        host
	chosen      atomic.Pointer[chosenAddress] // nil if the user says where the node is
	identity    *security.Identity

	system    *actor.System
	slot      *discovery.Slot
	rename    func() error // gives nodes of this host other names; nil if the name was given
	port      *port.Port
	transport *transport.Transport
	gossip    *gossip.Gossip
	directory *directory
	finder    *finder
	avoided   avoided
	unhandled unhandled
	payloads  payloadPool
	inbound   *inbound
	store     *Store
	sessions  sessions
	farewells farewells
	waits     consensus.Waits

	extensions  extensions
	policies    policies
	follower    *follower // nil if there is nothing to follow
	whereabouts whereabouts

	running sync.WaitGroup // goroutines of the node itself
	ready   chan struct{}  // closed when Join is through, with or without success
	leaving sync.Once
	departs atomic.Bool   // once Leave was called
	left    chan struct{} // closed when Leave has finished
	mu      sync.Mutex
	err     error
	end     error         // of Leave
	awaited func() string // what leave waits for
}

// Name returns the name of the node, unique in its cluster.
func (n *Node) Name() string { return n.name }

// Cluster returns the name of the cluster.
func (n *Node) Cluster() string { return n.cluster }

// Address returns the "ip:port" at which other nodes reach this one.
func (n *Node) Address() string { return n.address }

// System returns the actors of this node, for actor.Spawn. It belongs to the
// node, which stops it.
func (n *Node) System() *actor.System { return n.system }

// Logger returns where the node logs, with its name.
func (n *Node) Logger() *slog.Logger { return n.log }

// Serve starts an actor of each definition and offers it to the whole cluster
// under its name. The offer ends with the actor. Where one cannot be started, as
// when this node serves that name already (AlreadyExists), or a message of it could not
// travel (InvalidArgument), those before it stay. So do they where others could not learn
// of one more: all that a node announces and serves must fit into 1 MiB
// (ResourceExhausted). That they learn of it is not waited for.
func (n *Node) Serve(definitions ...actor.Spawnable) error {
	for _, d := range definitions {
		if err := n.serve(d); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) serve(d actor.Spawnable) error {
	if err := n.system.CheckTravel(d); err != nil {
		return err
	}
	if err := n.directory.fits(d.Name()); err != nil {
		return tooMuch(d.Name(), err)
	}
	address, err := n.system.Spawn(d)
	if actor.CodeOf(err) == actor.AlreadyExists {
		return actor.Errorf(actor.AlreadyExists, "cluster: node %q serves %q already, or has an actor of that name: stop that, or give the definition another name", n.name, d.Name())
	}
	if err != nil {
		return err
	}
	path, uid, _ := n.system.PathOf(address)
	offer := served{
		Service: catalog.Service{Name: d.Name(), Path: path, UID: uid},
		address: address,
	}
	if err := n.directory.add(offer); err != nil {
		// Others were offered at the same moment, or the node leaves.
		ctx, cancel := context.WithTimeout(context.Background(), failTimeout)
		defer cancel()
		_ = n.system.StopActor(ctx, address) // it is told to, and ends when it can
		return tooMuch(d.Name(), err)
	}
	_, err = address.Recipient().Watch(func(error) {
		n.directory.remove(func(s served) bool { return s.UID == uid })
	})
	return err
}

// tooMuch says that what a node offers under a name could not be gossiped.
func tooMuch(name string, err error) error {
	if errors.Is(err, gossip.ErrClosed) {
		return ErrLeft
	}
	return actor.Errorf(actor.ResourceExhausted, "cluster: what this node offers as %q cannot be gossiped, serve or announce less: %w", name, err)
}

// Members returns the nodes of the cluster as this one sees them, itself
// included, sorted by name.
func (n *Node) Members() []Member {
	view := n.directory.view()
	members := []Member{{Name: n.name, Address: n.address, Started: n.started, Services: view.servicesOf(n.name)}}
	for _, p := range view.nodes {
		members = append(members, Member{Name: p.Node, Address: p.Address, Started: p.Started, Services: view.servicesOf(p.Node)})
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return members
}

// Instances returns who serves the named service, sorted by node.
func (n *Node) Instances(service string) []Instance {
	if pool := n.directory.view().services[service]; pool != nil {
		return slices.Clone(pool.public)
	}
	return nil
}

// Await returns when condition holds. It is called now, and again whenever the
// members or their services have changed:
//
//	err := node.Await(ctx, func() bool { return len(node.Instances("greeter")) > 0 })
//
// It returns an error when ctx ends first, or the node leaves. Where ctx has a deadline, the
// log says after two seconds that the condition is waited for.
func (n *Node) Await(ctx context.Context, condition func() bool) error {
	what := "a condition given to Await does not hold yet"
	if _, bounded := ctx.Deadline(); !bounded {
		what = "" // it may be followed for ever
	}
	return n.awaitThat(ctx, what, condition)
}

// awaitThat is Await. The log says what takes long, unless it is empty.
func (n *Node) awaitThat(ctx context.Context, what string, condition func() bool) error {
	for first := true; ; first = false {
		change := n.directory.change()
		if condition() {
			return nil
		}
		if first && what != "" {
			defer n.waits.Begin(n.log, slog.LevelInfo, what, n.offered)()
		}
		select {
		case <-change:
		case <-n.left:
			return ErrLeft
		case <-ctx.Done():
			return actor.Errorf(actor.CodeOf(ctx.Err()), "cluster: the condition given to Await did not hold in time: %s: %w", n.offered(), context.Cause(ctx))
		}
	}
}

// offered says which members there are, and what they serve.
func (n *Node) offered() string {
	const most = 10
	members := n.Members()
	var names []string
	for _, m := range members[:min(len(members), most)] {
		text := m.Name + " (serves nothing)"
		if len(m.Services) > 0 {
			text = fmt.Sprintf("%s (serves %s)", m.Name, strings.Join(m.Services[:min(len(m.Services), most)], ", "))
		}
		names = append(names, text)
	}
	if more := len(members) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return "the members are " + strings.Join(names, ", ")
}

// Done returns a channel that is closed when the node has left: because Leave was
// called, or because it must not go on, which [Node.Err] explains.
func (n *Node) Done() <-chan struct{} { return n.left }

// Err returns why the node left by itself; nil if it has not.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// observe keeps the directory: it gets the events of gossip, one at a time.
func (n *Node) observe(event gossip.Event) {
	switch e := event.(type) {
	case gossip.Joined:
		n.log.Info("node joined", "peer", e.Member.Node, "address", e.Member.Address)
		n.directory.joined(e.Member)
		n.checkAddress(e.Member)
		n.checkName(e.Member)
	case gossip.CatalogChanged:
		offered, err := catalog.Decode(e.Catalog)
		if err != nil {
			n.log.Warn("a node published a catalog that cannot be read", "peer", e.Member.Node, "error", err)
			return
		}
		n.directory.offers(e.Member, offered)
	case gossip.Left:
		n.log.Info("node left", "peer", e.Member.Node)
		n.directory.lost(e.Member)
		n.running.Go(func() { // its last answers may still be on their way
			ctx, cancel := context.WithTimeout(context.Background(), retireTimeout)
			defer cancel()
			n.transport.Peer(e.Member.Node, e.Member.Address, e.Member.Incarnation).
				Retire(ctx, unavailable("node %q has left the cluster", e.Member.Node))
		})
	case gossip.Failed:
		n.log.Warn("node lost", "peer", e.Member.Node, "address", e.Member.Address)
		n.directory.lost(e.Member)
		n.transport.Peer(e.Member.Node, e.Member.Address, e.Member.Incarnation).
			Close(unavailable("node %q stopped answering", e.Member.Node))
	}
}

const retireTimeout = 5 * time.Second

// checkName lets the node go if an older one with its name turns up alive.
func (n *Node) checkName(m gossip.Member) {
	if m.Node != n.name {
		return
	}
	n.running.Go(func() {
		<-n.ready // until then Join may still set, and will itself check, what this reads
		if err := n.nameTaken(context.Background(), m); err != nil {
			if n.rename != nil { // for the next start
				err = errors.Join(err, n.rename())
			}
			n.fail(err)
		}
	})
}

// fail lets the node leave by itself.
func (n *Node) fail(err error) {
	n.log.Error("the node must leave", "error", err)
	n.mu.Lock()
	if n.err == nil {
		n.err = err
	}
	n.mu.Unlock()
	go func() { // Leave waits for the caller
		ctx, cancel := context.WithTimeout(context.Background(), failTimeout)
		defer cancel()
		_ = n.Leave(ctx) // its outcome is kept for those who call Leave
	}()
}

const failTimeout = 10 * time.Second

func (v *view) servicesOf(node string) []string {
	var names []string
	for name, pool := range v.services {
		if slices.ContainsFunc(pool.public, func(i Instance) bool { return i.Node == node }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
