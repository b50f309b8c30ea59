package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
)

// leavePause is how long a replica that leaves waits before it tries again.
const leavePause = 50 * time.Millisecond

// errNoSuccessor says that nobody else can lead now.
var errNoSuccessor = errors.New("consensus: no other replica is up to date")

// Remove takes this replica out of the core for good, if others can go on without it,
// after handing over leadership. Close it afterwards. The only replica has another node
// take its place; if none can, it does nothing, and returns nil: the data stays here.
func (r *replica) Remove(ctx context.Context) error { return r.depart(ctx, r.tryRemove) }

// Pause prepares this replica for being closed for a while: it keeps its place. It hands
// over leadership, and if the voters that remain are not enough, it waits for another
// node to take a place, its own or that of one which has gone before. Where no node can,
// it does nothing, and returns nil.
func (r *replica) Pause(ctx context.Context) error { return r.depart(ctx, r.tryPause) }

func (r *replica) depart(ctx context.Context, try func(context.Context) (done bool, err error)) error {
	for {
		changed := r.LeaderChanged()
		done, err := try(ctx)
		if done {
			return err
		}
		select {
		case <-time.After(leavePause):
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-r.ctx.Done():
			return r.gone()
		}
	}
}

func (r *replica) tryRemove(ctx context.Context) (done bool, err error) {
	done, leader, err := r.beginDeparture(ctx)
	switch {
	case done || err != nil:
		return done, err
	case leader != r.config.Server:
		err := r.streams.Leave(ctx, leader)
		return err == nil, err
	}
	t, err := r.reigning(ctx)
	if err != nil {
		return false, err
	}
	if _, ok := r.successor(t, raft.Voter); !ok {
		standby, ok := r.successor(t, raft.Nonvoter)
		if !ok {
			return false, errNoSuccessor
		}
		if err := r.promote(ctx, standby.ID); err != nil {
			return false, err
		}
	}
	return false, r.StepDown(ctx)
}

func (r *replica) tryPause(ctx context.Context) (done bool, err error) {
	done, leader, err := r.beginDeparture(ctx)
	switch {
	case done || err != nil:
		return done, err
	case leader != r.config.Server:
		err := r.streams.Pause(ctx, leader)
		return err == nil, err
	}
	if others, _ := r.otherVoters(); len(others) == 0 {
		return r.tryRemove(ctx) // its place goes to a standby
	}
	err = r.StepDown(ctx)
	return errors.Is(err, errNoSuccessor), nil
}

// beginDeparture does what comes first when this replica leaves for a while or for good.
// It returns who leads, or that all is done.
func (r *replica) beginDeparture(ctx context.Context) (done bool, leader string, err error) {
	servers := r.raft.GetConfiguration().Configuration().Servers
	if len(servers) == 0 {
		return true, "", nil
	}
	if len(servers) == 1 && servers[0].ID == raft.ServerID(r.config.Server) {
		if !r.recruit(ctx, map[string]bool{link.NodeOf(r.config.Server): true}) {
			return true, "", nil
		}
		return false, "", errNoSuccessor
	}
	if !r.majorityIsThere(servers) {
		return true, "", nil // nobody can decide about anything
	}
	_, id := r.raft.LeaderWithID()
	if id == "" {
		return false, "", errors.New("consensus: there is no leader to be let go by")
	}
	return false, string(id), nil
}

// majorityIsThere reports whether enough nodes of voters are members to elect a leader.
func (r *replica) majorityIsThere(servers []raft.Server) bool {
	members := map[string]bool{}
	for _, m := range r.config.Members() {
		members[m.Name] = true
	}
	voters, there := 0, 0
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			voters++
			if members[link.NodeOf(string(s.ID))] {
				there++
			}
		}
	}
	return there > voters/2
}

// leaving takes another server out of the core, which has asked for it. If it votes, a
// standby takes its place, and the others must be enough to go on.
func (r *replica) leaving(ctx context.Context, server string) error {
	b, err := r.balance(ctx, server)
	if err != nil || !b.listed {
		return err
	}
	if b.votes {
		if standby, ok := r.successor(b.tenure, raft.Nonvoter); ok {
			if err := r.promote(ctx, standby.ID); err != nil {
				return err
			}
			b.others, b.following = b.others+1, b.following+1
		}
		if b.following <= b.others/2 {
			return fmt.Errorf("consensus: of the other %d voters, %d can be reached: they could not go on", b.others, b.following)
		}
	}
	return r.remove(ctx, raft.ServerID(server))
}

// pausing answers another server that is about to be away for a while: nil when the
// others are enough, or cannot become enough.
func (r *replica) pausing(ctx context.Context, server string) error {
	b, err := r.balance(ctx, server)
	if err != nil || !b.votes || b.following > (b.others+1)/2 {
		return err
	}
	if _, ok := r.successor(b.tenure, raft.Nonvoter); ok {
		return r.leaving(ctx, server)
	}
	if b.others+1 > r.config.Voters {
		return errors.New("consensus: a server that is gone is taken out first")
	}
	other := r.mayFollow(b.tenure.term, server)
	if other == "" {
		return nil
	}
	r.departed.replace(server)
	return fmt.Errorf("consensus: without it %d of %d voters could be reached; node %s makes up for it first", b.following, b.others+1, other)
}

// mayFollow returns a node that could soon have a vote and follow in that term, and does not
// yet: one without a server, with one that does not vote, or that is about to come back.
// It is "" if there is none but that of the server which leaves.
func (r *replica) mayFollow(term uint64, leaving string) string {
	counts := map[string]bool{link.NodeOf(leaving): true}
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter && r.follows(term, s.ID) {
			counts[link.NodeOf(string(s.ID))] = true
		}
	}
	for _, m := range r.config.Members() {
		if !counts[m.Name] && r.mayServe(m) {
			return m.Name
		}
	}
	return ""
}

// balance is what the core has without one server.
type balance struct {
	tenure            *tenure
	listed, votes     bool // the server
	others, following int  // voters beside it; those of them that this leader hears
}

// balance notes that a server leaves, and counts the others.
func (r *replica) balance(ctx context.Context, server string) (b balance, err error) {
	if b.tenure, err = r.reigning(ctx); err != nil {
		return b, err
	}
	var incarnation uint64
	for _, m := range r.config.Members() {
		if m.Name == link.NodeOf(server) {
			incarnation = m.Incarnation
		}
	}
	r.departed.add(server, incarnation)
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		votes := s.Suffrage == raft.Voter
		switch {
		case s.ID == raft.ServerID(server):
			b.listed, b.votes = true, votes
		case votes:
			b.others++
			if r.follows(b.tenure.term, s.ID) {
				b.following++
			}
		}
	}
	return b, nil
}

// follows reports whether a server is this one, which leads in that term, or has answered
// it lately and is not about to leave.
func (r *replica) follows(term uint64, id raft.ServerID) bool {
	if id == raft.ServerID(r.config.Server) {
		return true
	}
	a, ok := r.answers.of(id, term)
	return ok && time.Since(a.at) < r.config.Timing.Heartbeat && !r.hasDeparted(string(id))
}
