package consensus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/cluster/internal/consensus/raftlog"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence/badger"
)

// Forget takes the replicas of nodes that will not be back out of the core. While there is
// a leader, it does that, and nothing is lost. Without one, when a majority is lost for
// good, the replica of this node alone becomes a new core, which succeeds the old one:
// what only the others had is lost. It is refused while a majority could be there, a node
// to forget is a member, or another node has a newer replica.
func (c *Core) Forget(ctx context.Context, nodes ...string) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	v := c.members.look(c)
	for _, node := range nodes {
		if v.contains(node) {
			return actor.Errorf(actor.FailedPrecondition, "consensus: node %s is a member of the cluster: stop it first, or have it leave for good", node)
		}
	}
	core, err := c.current()
	switch {
	case err != nil:
		return err
	case core == "":
		return actor.Errorf(actor.FailedPrecondition, "consensus: there is no replicated store yet: nothing to forget")
	case len(nodes) == 0:
		return actor.Errorf(actor.InvalidArgument, "consensus: name the nodes that will not be back")
	}
	if _, err := c.leader(ctx, c.patience()); err == nil {
		_, err = c.atLeader(ctx, &pb.Request{Core: core, Kind: &pb.Request_Forget{Forget: &pb.Forget{Nodes: nodes}}})
		return err
	} else if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.succeed(ctx, core, nodes)
}

// serveForget takes the servers of nodes out of the core that r leads.
func serveForget(ctx context.Context, r *replica, nodes []string) error {
	if _, err := r.reigning(ctx); err != nil {
		return err
	}
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if slices.Contains(nodes, link.NodeOf(string(s.ID))) {
			if err := r.remove(ctx, s.ID); err != nil {
				return err
			}
			r.config.Logger.Info("consensus: a server was forgotten", "server", s.ID)
		}
	}
	return nil
}

// succeed makes the replica of this node, of which the majority is lost, the first of a
// new core.
func (c *Core) succeed(ctx context.Context, core string, nodes []string) error {
	if err := c.joining.take(ctx); err != nil {
		return err
	}
	defer c.joining.done()
	r := c.local()
	id := c.identity()
	switch {
	case r == nil || id.Core != core:
		return actor.Errorf(actor.FailedPrecondition, "consensus: node %s has no copy of the replicated store: forget %s on a node that has one", c.config.Node, strings.Join(nodes, ", "))
	case c.config.Dir == "":
		return actor.Errorf(actor.FailedPrecondition, "consensus: node %s keeps the replicated store in memory alone, which cannot go on without a majority: start a new cluster, and restore a back-up", c.config.Node)
	}
	if err := c.mayOutlive(ctx, r, core, nodes); err != nil {
		return err
	}
	index, term := r.lastEntry()
	if err := c.withdraw(r); err != nil {
		return fmt.Errorf("consensus: closing the replica: %w", err)
	}
	id.Core, id.LeftAt, id.LeftTo = successorOf(core), "", ""
	// The new name comes first: a replica of one voter under the old one could go on
	// beside those who are back.
	if err := c.become(id); err != nil {
		return err
	}
	if err := electAlone(ctx, filepath.Join(c.config.Dir, replicaFolder, logFolder), id.Server, index, term); err != nil {
		return err
	}
	c.search.reset()
	c.log.Warn("consensus: a majority is lost for good: this node goes on alone, with what it has", "core", id.Core, "before", core, "forgotten", nodes)
	return c.open(ctx, id, nil)
}

// mayOutlive returns why the replica of this node may not go on without those nodes.
func (c *Core) mayOutlive(ctx context.Context, r *replica, core string, nodes []string) error {
	index, term := r.lastEntry()
	mine := position{term, index}
	servers := serversOf(r)
	answered := map[string]bool{c.config.Node: true}
	for node, reply := range c.askAll(ctx, core) {
		if reply == nil || node == c.config.Node {
			continue
		}
		answered[node] = true
		if mine.before(positionOf(reply)) {
			return actor.Errorf(actor.FailedPrecondition, "consensus: node %s has a newer copy of the replicated store, of revision %d, and this one has %d: forget %s there", node, reply.GetRevision(), r.Store().Latest(), strings.Join(nodes, ", "))
		}
	}
	voters, there := 0, 0
	var unknown []string
	for _, s := range servers {
		if !s.GetVoter() {
			continue
		}
		voters++
		switch {
		case answered[s.GetNode()]:
			there++
		case !slices.Contains(nodes, s.GetNode()):
			unknown = append(unknown, s.GetNode())
		}
	}
	if there > voters/2 {
		return notYet("a majority of the voters is there, and has not elected a leader yet: try again")
	}
	if len(unknown) > 0 {
		return actor.Errorf(actor.FailedPrecondition, "consensus: without %s this node may not go on: start what is left, or forget them, too", strings.Join(unknown, ", "))
	}
	return nil
}

// askAll asks all nodes that may have a replica what they have. Those that do not answer
// in time have none in the result.
func (c *Core) askAll(ctx context.Context, core string) map[string]*pb.WhoReply {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timing.inquiry())
	defer cancel()
	nodes := c.search.nodes(c.members.look(c).replicas[core], c.config.Node)
	type answer struct {
		node  string
		reply *pb.WhoReply
	}
	answers := make(chan answer, len(nodes))
	for _, node := range nodes {
		c.start(func(context.Context) {
			reply, err := c.request(ctx, node, &pb.Request{Core: core, Kind: &pb.Request_Who{Who: &pb.Who{}}})
			if err != nil {
				answers <- answer{node, nil}
				return
			}
			answers <- answer{node, reply.GetWho()}
		})
	}
	all := map[string]*pb.WhoReply{}
	for range nodes {
		select {
		case a := <-answers:
			all[a.node] = a.reply
		case <-ctx.Done():
			return all
		case <-c.ctx.Done():
			return all
		}
	}
	return all
}

// electAlone appends an entry to the log of a replica that is closed, by which its server
// is the only one of the core, and what is in the log counts.
func electAlone(ctx context.Context, dir, server string, index, term uint64) (err error) {
	log, err := raftlog.Open(ctx, badger.Config{Dir: dir}, func(error) {})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	alone := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(server), Address: raft.ServerAddress(server)}}}
	return log.StoreLog(&raft.Log{
		Index: index + 1, Term: term, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(alone), AppendedAt: time.Now(),
	})
}

// follow makes this node one of the core that has succeeded its own. What its replica
// holds is put aside: it may be newer, and nobody looks there by itself. The caller
// holds joining.
func (c *Core) follow(core string) error {
	id := c.identity()
	if r := c.local(); r != nil {
		if err := c.withdraw(r); err != nil {
			return err
		}
	}
	aside := ""
	if c.config.Dir != "" && id.Server != "" {
		aside = filepath.Join(c.config.Dir, replicaFolder+"-of-"+id.Core)
		if err := os.Rename(filepath.Join(c.config.Dir, replicaFolder), aside); err != nil {
			return err
		}
	}
	if err := c.become(identity{Node: c.config.Node, Core: core, Founded: true}); err != nil {
		return err
	}
	c.search.reset()
	c.announce()
	c.log.Warn("consensus: the core of this node was succeeded by another one, after its majority was lost; this node is part of that now", "core", core, "before", id.Core, "put aside", aside)
	return nil
}
