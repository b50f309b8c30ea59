package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/persistence/badger"
)

// tenure is the time from when this replica becomes the leader until it no longer is.
type tenure struct {
	ended chan struct{}

	// When ready is closed, the first entry of the term is applied, at index first.
	ready       chan struct{}
	term, first uint64
}

// reign is what a replica knows of who leads.
type reign struct {
	mu      sync.Mutex
	leader  string // server
	changed chan struct{}
	tenure  *tenure // nil if this replica does not lead
}

// watchLeader follows what raft says about who leads. Raft waits until it has been
// told of each beginning and end of a tenure.
func (r *replica) watchLeader(leads <-chan bool, observed <-chan raft.Observation) {
	for {
		select {
		case lead := <-leads:
			r.endTenure()
			if lead {
				r.beginTenure()
			}
		case <-observed:
		case <-r.halted:
			r.endTenure()
			r.reign.follow("", r.config.Server)
			return
		}
		_, id := r.raft.LeaderWithID()
		r.reign.follow(string(id), r.config.Server)
	}
}

// follow notes who leads, which is self only from the beginning of a tenure on.
func (r *reign) follow(leader, self string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leader == self && r.tenure == nil {
		leader = ""
	}
	if leader != r.leader {
		r.leader = leader
		r.tell()
	}
}

// tell wakes those who wait for a change. The caller holds mu.
func (r *reign) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *replica) beginTenure() {
	t := &tenure{ended: make(chan struct{}), ready: make(chan struct{})}
	r.reign.mu.Lock()
	r.reign.tenure = t
	r.reign.mu.Unlock()
	if r.enter() {
		go func() {
			defer r.using.Done()
			r.serveTenure(t)
		}()
	}
}

func (r *replica) endTenure() {
	r.reign.mu.Lock()
	defer r.reign.mu.Unlock()
	if t := r.reign.tenure; t != nil {
		r.reign.tenure = nil
		close(t.ended)
	}
}

// serveTenure does what only the leader does.
func (r *replica) serveTenure(t *tenure) {
	ctx, cancel := context.WithCancel(r.ctx)
	var duties sync.WaitGroup
	defer duties.Wait()
	defer cancel()
	duties.Go(func() {
		defer cancel()
		select {
		case <-t.ended:
		case <-ctx.Done():
		}
	})
	duties.Go(func() { r.oversee(ctx) })
	// Everything of earlier terms is committed and applied with the first entry of this.
	a, index, err := r.append(ctx, &badger.Entry{At: time.Now()})
	if err != nil {
		return // it is no longer the leader
	}
	t.term, t.first = a.term, index
	r.reign.mu.Lock()
	close(t.ready)
	r.reign.tell()
	r.reign.mu.Unlock()
	duties.Go(func() { r.expire(ctx) })
	r.pilot(ctx, t)
}

// reigning returns the present tenure when it is ready.
func (r *replica) reigning(ctx context.Context) (*tenure, error) {
	r.reign.mu.Lock()
	t := r.reign.tenure
	r.reign.mu.Unlock()
	if t == nil {
		return nil, r.notLeader()
	}
	select {
	case <-t.ready:
		return t, nil
	default:
	}
	select {
	case <-t.ready:
		return t, nil
	case <-t.ended:
		return nil, r.notLeader()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ctx.Done():
		return nil, r.gone()
	}
}

// notLeader returns errNotLeader, with who leads if that is known.
func (r *replica) notLeader() error {
	if node, _ := r.Leader(); node != "" && node != r.config.Node {
		return notLeaderError{Leader: node}
	}
	return errNotLeader
}

// Leader returns the node that leads as far as this replica knows, "" if it knows none,
// and the term it knows of.
func (r *replica) Leader() (node string, term uint64) {
	r.reign.mu.Lock()
	defer r.reign.mu.Unlock()
	return link.NodeOf(r.reign.leader), r.raft.CurrentTerm()
}

// LeaderChanged is closed when Leader or Leads returns something else. Take it before
// you ask them.
func (r *replica) LeaderChanged() <-chan struct{} {
	r.reign.mu.Lock()
	defer r.reign.mu.Unlock()
	return r.reign.changed
}

// Leads returns whether this replica leads and has applied the first entry of its
// term, which term that is, and a channel that is closed when it ends.
func (r *replica) Leads() (ended <-chan struct{}, term uint64, ok bool) {
	r.reign.mu.Lock()
	defer r.reign.mu.Unlock()
	t := r.reign.tenure
	if t == nil {
		return nil, 0, false
	}
	select {
	case <-t.ready:
		return t.ended, t.term, true
	default:
		return nil, 0, false
	}
}

// StepDown hands leadership to another voter. It does nothing if this replica does not
// lead.
func (r *replica) StepDown(ctx context.Context) error {
	t, err := r.reigning(ctx)
	if errors.Is(err, errNotLeader) {
		return nil
	} else if err != nil {
		return err
	}
	to, err := r.awaitSuccessor(ctx, t)
	if err != nil {
		return err
	}
	_, err = await(ctx, r, func() (struct{}, error) {
		return struct{}{}, r.raft.LeadershipTransferToServer(to.ID, to.Address).Error()
	})
	if err != nil {
		return fmt.Errorf("consensus: handing over to %s: %w", to.ID, err)
	}
	select {
	case <-t.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitSuccessor returns the voter that can lead next. It waits for one, though not for
// long.
func (r *replica) awaitSuccessor(ctx context.Context, t *tenure) (raft.Server, error) {
	timer := time.NewTimer(r.config.Timing.Heartbeat)
	defer timer.Stop()
	for {
		_, changed := r.answers.since(0, t.term, nil, 0)
		if s, ok := r.successor(t, raft.Voter); ok {
			return s, nil
		}
		select {
		case <-changed:
		case <-t.ended:
			return raft.Server{}, r.notLeader()
		case <-timer.C:
			return raft.Server{}, errNoSuccessor
		case <-ctx.Done():
			return raft.Server{}, ctx.Err()
		}
	}
}

// successor returns the other server of that suffrage which is furthest, of those that
// have answered lately.
func (r *replica) successor(t *tenure, suffrage raft.ServerSuffrage) (best raft.Server, ok bool) {
	var furthest uint64
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		a, known := r.answers.of(s.ID, t.term)
		if s.Suffrage == suffrage && known && r.follows(t.term, s.ID) && a.last >= max(furthest, t.first) {
			best, furthest, ok = s, a.last, true
		}
	}
	return best, ok
}
