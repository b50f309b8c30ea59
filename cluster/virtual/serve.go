package virtual

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// Option changes how a kind is served.
type Option interface{ apply(*config) }

type option func(*config)

func (f option) apply(c *config) { f(c) }

type config struct {
	settings   settings
	roles      []string
	idle       time.Duration // 0 for never
	handovers  int
	bestEffort bool
	eager      bool
}

// Shards sets how many shards the keys of the kind fall into: what moves between nodes
// as a whole. Default 128; a few dozen for each node are good. Nodes that serve a kind
// must agree; see [Serve].
func Shards(n int) Option { return option(func(c *config) { c.settings.Shards = n }) }

// IdleTimeout sets after how long without a message an activation is passivated: it
// handles what it has, ends, and leaves the memory. It may take a quarter longer.
// Default 10 minutes; 0 is never. A timer of the actor counts as a message.
func IdleTimeout(d time.Duration) Option { return option(func(c *config) { c.idle = d }) }

// MaxHandovers sets how many shards with activations a node hands over at a time when
// another has joined. Default 8. A node that leaves hands over all at once.
func MaxHandovers(n int) Option { return option(func(c *config) { c.handovers = n }) }

// BestEffort runs the kind without the replicated store: what a node gossips decides
// where a key is activated. The kind is then available wherever a node serves it, also
// in a minority, but two nodes may run activations of one key at the same time: while
// the network is split, and for a moment whenever nodes join or leave. [Epoch] is 0.
// All nodes that serve the kind must agree.
func BestEffort() Option { return option(func(c *config) { c.bestEffort = true }) }

const (
	defaultShards    = 128
	defaultIdle      = 10 * time.Minute
	defaultHandovers = 8
)

// Serve lets this node run virtual actors of a kind: the name of the definition. An
// actor learns its key with [Key]. It returns at once; what serving needs of the
// cluster is done in the background, and again after the node was cut off, until it
// leaves. When it leaves, cluster.Node.Leave waits until its actors have handled what
// they have and others own the shards.
//
// All nodes that serve a kind must agree on [Shards] and [OnRole]. The first one decides,
// for as long as any node runs actors of the kind; a node with other settings logs an
// error, and runs none while that is so. So a change comes into force, without a restart
// of the new nodes, when the last of the old ones has left.
//
// Errors are InvalidArgument for a definition or an option that makes no sense, and
// AlreadyExists if this node serves the kind already.
func Serve[P any](node *cluster.Node, definition actor.Definition[P], options ...Option) error {
	c := config{settings: settings{Shards: defaultShards}, idle: defaultIdle, handovers: defaultHandovers}
	for _, o := range options {
		o.apply(&c)
	}
	return serve(node, definition, c)
}

// Singleton runs one actor of the definition in the whole cluster, on one of the nodes
// that call this, and returns a Ref to it, wherever it is: that of the virtual actor
// whose kind is the definition's name, and whose key is empty. It starts without a
// message, moves when its node leaves, crashes or loses its session, not when others join,
// and is not passivated. If it stops by itself, the next message starts it again on its
// node. A node that only sends to it uses [Ref].
//
// Errors are those of [Serve].
func Singleton[P any](node *cluster.Node, definition actor.Definition[P], options ...SingletonOption) (actor.Ref[P], error) {
	c := config{settings: settings{Shards: 1}, handovers: 1, eager: true}
	for _, o := range options {
		o.apply(&c)
	}
	if err := serve(node, definition, c); err != nil {
		return actor.Ref[P]{}, err
	}
	return Ref[P](node, definition.Name(), ""), nil
}

func (c config) validate() error {
	switch {
	case c.settings.Shards < 1 || c.settings.Shards > maxShards:
		return actor.Errorf(actor.InvalidArgument, "virtual: %d shards: choose 1 to %d", c.settings.Shards, maxShards)
	case c.idle < 0 || c.idle > 0 && c.idle < minIdle:
		return actor.Errorf(actor.InvalidArgument, "virtual: an idle timeout of %v: choose 0, for never, or at least %v", c.idle, minIdle)
	case c.handovers < 1:
		return actor.Errorf(actor.InvalidArgument, "virtual: %d hand-overs at a time: at least one is needed", c.handovers)
	}
	return c.validateRoles()
}

const minIdle = 10 * time.Millisecond

func serve[P any](node *cluster.Node, definition actor.Definition[P], c config) error {
	name := definition.Name()
	if !isLabel(name) {
		return actor.Errorf(actor.InvalidArgument, "virtual: %.200q cannot name a kind: use up to %d letters, digits and -_.@+", name, maxLabel)
	}
	if err := c.validate(); err != nil {
		return err
	}
	if err := node.System().CheckTravel(definition); err != nil {
		return err
	}
	x := extensionOf(node)
	if err := x.spawnRelay(); err != nil {
		return err
	}
	// A definition is checked when it is spawned, before its name is found taken.
	if _, err := node.System().Spawn(definition, actor.WithName(relayName)); actor.CodeOf(err) != actor.AlreadyExists {
		return err
	}
	k := x.kind(name)
	s := newServer(k, c, func(name string, check func() error) (actor.Address, error) {
		return node.System().Spawn(definition.With(actor.Guard(check)), actor.WithName(name))
	})
	if !k.server.CompareAndSwap(nil, s) {
		return actor.Errorf(actor.AlreadyExists, "virtual: node %q serves kind %q already", node.Name(), name)
	}
	return s.start()
}

func (s *server) start() error {
	run := s.run
	if s.config.bestEffort && s.config.mayRun() {
		if err := s.offer(); err != nil {
			return err
		}
		run = s.runBestEffort
	}
	s.kind.use()
	if !s.kind.extension.run(func(ctx context.Context) { run(ctx) }) {
		close(s.left)
		return errLeft(s.kind.extension.node)
	}
	return nil
}
