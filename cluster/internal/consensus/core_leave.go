package consensus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Leave is Close, but before that hands over what this node has and others need, and waits
// for the writes on their way. It takes as long as ctx allows at most; then its error says
// what has not ended, which goes on to.
//
// The replica stays on disk with its place in the core, for the node to come back to, if
// [Config.Expect] is more than 1. Otherwise the node gives up its vote and keeps the files:
// the others go on without it, down to the last one. For good, it gives up both.
func (c *Core) Leave(ctx context.Context, forGood bool) error {
	err := c.depart(ctx, forGood)
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	c.proposer.drain(ctx, c.config.Timing.Patience)
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case failure := <-closed:
		return errors.Join(err, failure)
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("consensus: closing the replicated store: %w: %s", context.Cause(ctx), c.Occupation()))
	}
}

func (c *Core) depart(ctx context.Context, forGood bool) error {
	if !c.enter() {
		return nil
	}
	defer c.running.Done()
	open, cancel := c.within(ctx)
	defer cancel()
	if c.joining.take(open) != nil {
		return cutShort(ctx)
	}
	defer c.joining.done()
	r := c.local()
	if r == nil {
		return nil
	}
	leaving, cancel := context.WithTimeout(open, c.config.Timing.departure())
	defer cancel()
	leave := r.Pause
	if forGood || c.config.Expect == 1 {
		leave = r.Remove
	}
	others := c.votersThere(r)
	if err := leave(leaving); err != nil {
		return c.keepsPlace(ctx, open, forGood, err)
	}
	if !forGood {
		id := c.identity()
		id.LeftAt, id.LeftTo = time.Now().UTC().Format(time.RFC3339), strings.Join(others, ", ")
		return c.become(id)
	}
	switch member, err := c.isServer(open); {
	case err != nil:
		return c.keepsPlace(ctx, open, forGood, err)
	case member:
		return c.keepsPlace(ctx, open, forGood, errNoSuccessor)
	}
	return c.discard(r)
}

// keepsPlace is for a node whose place nobody has taken: it keeps what it has, as if it had
// crashed, since the others may need it again.
func (c *Core) keepsPlace(ctx, open context.Context, forGood bool, reason error) error {
	switch {
	case open.Err() != nil:
		return cutShort(ctx)
	case forGood:
		return actor.Errorf(actor.FailedPrecondition, "consensus: node %s has left and keeps its place in the replicated store, which nobody could take: %w; start it again, or forget it on a node that stays", c.config.Node, reason)
	}
	c.log.Warn("consensus: this node leaves, and nobody can take its place in the replicated store", "reason", reason)
	return nil
}

// votersThere returns the other nodes that vote and are members, in the order of their
// names.
func (c *Core) votersThere(r *replica) (nodes []string) {
	members := map[string]bool{}
	for _, m := range c.members.look(c).members {
		members[m.Name] = true
	}
	for _, s := range r.Status().Voters {
		if s.Node != c.config.Node && members[s.Node] {
			nodes = append(nodes, s.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// cutShort is the error of a departure that has been ended: by ctx, or else by Close,
// which is no error.
func cutShort(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("consensus: leaving: %w", context.Cause(ctx))
}

// departure is how long a node that leaves waits for another one to take a place.
func (t Timing) departure() time.Duration { return t.Stabilize + 2*t.startup() }
