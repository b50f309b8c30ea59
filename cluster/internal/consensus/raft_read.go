package consensus

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/stopwatch"
)

// answers knows when the other servers have last taken this one for their leader.
//
// Raft's own VerifyLeader counts every answer that comes after it was called, also one
// that was given long before and then waited, in the network or while this process was
// stopped. What counts here is what was asked after the read began, as in the read-index
// method of Ongaro ("Consensus: Bridging Theory and Practice", 2014, section 6.4).
// No clock takes part.
type answers struct {
	mu      sync.Mutex
	asked   uint64
	by      map[raft.ServerID]answer
	changed chan struct{} // closed at the next answer; nil if nobody waits
}

// answer is the latest of a server.
type answer struct {
	sent uint64 // number of the question
	term uint64 // in which the server takes this one for its leader
	last uint64 // index of the last entry the server has
	at   time.Time
}

func newAnswers() *answers { return &answers{by: map[raft.ServerID]answer{}} }

// ask returns the number of the next question.
func (a *answers) ask() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.asked
}

func (a *answers) note(id raft.ServerID, new answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.by[id]; old.sent > new.sent {
		return
	}
	a.by[id] = new
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// of returns the latest answer of a server in that term.
func (a *answers) of(id raft.ServerID, term uint64) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	latest, ok := a.by[id]
	return latest, ok && latest.term == term
}

// since reports whether enough of the servers have answered a question after that one,
// and returns a channel that is closed when this may have changed.
func (a *answers) since(question, term uint64, servers []raft.ServerID, enough int) (bool, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range servers {
		if latest := a.by[id]; latest.sent > question && latest.term == term {
			enough--
		}
	}
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return enough <= 0, a.changed
}

// reads lets many readers share one proof that this replica leads.
type reads struct {
	mu   sync.Mutex
	next *readRound // gathers readers; nil if there are none
	wake chan struct{}

	confirming stopwatch.Stopwatch
}

type readRound struct {
	done chan struct{}
	err  error
}

// join returns the next round, which has not begun.
func (r *reads) join() *readRound {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &readRound{done: make(chan struct{})}
		r.wake <- struct{}{} // has room: it is emptied before next is
	}
	return r.next
}

func (r *reads) take() *readRound {
	r.mu.Lock()
	defer r.mu.Unlock()
	round := r.next
	r.next = nil
	return round
}

// ReadBarrier returns when what Store has is at least what was acknowledged to anybody
// before the call. Only the leader can: errNotLeader otherwise.
func (r *replica) ReadBarrier(ctx context.Context) error {
	if !r.enter() {
		return r.gone()
	}
	defer r.using.Done()
	if others, _ := r.otherVoters(); len(others) == 0 { // there is nobody to ask
		t, err := r.reigning(ctx)
		if err != nil {
			return err
		}
		return r.awaitApplied(ctx, t, r.raft.CommitIndex())
	}
	round := r.reads.join()
	select {
	case <-round.done:
		return round.err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ctx.Done():
		return r.gone()
	}
}

// serveReads does one round after the other.
func (r *replica) serveReads() {
	for {
		select {
		case <-r.reads.wake:
			round := r.reads.take()
			confirmed := r.reads.confirming.Start()
			if round.err = r.confirm(r.ctx); r.ctx.Err() != nil {
				round.err = r.gone()
			}
			confirmed()
			close(round.done)
		case <-r.ctx.Done():
			return
		}
	}
}

// confirm returns when this replica has led after the call began, and has applied what
// was committed then.
func (r *replica) confirm(ctx context.Context) error {
	t, err := r.reigning(ctx)
	if err != nil {
		return err
	}
	question, committed := r.answers.ask(), r.raft.CommitIndex()
	r.raft.VerifyLeader() // sends heartbeats at once
	again := time.NewTicker(r.config.Timing.LeaderLease / 2)
	defer again.Stop()
	for {
		// Who votes may change meanwhile: one that is removed does not answer any more.
		others, quorum := r.otherVoters()
		enough, changed := r.answers.since(question, t.term, others, quorum)
		if enough {
			break
		}
		select {
		case <-changed:
		case <-again.C:
		case <-t.ended:
			return r.notLeader()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return r.awaitApplied(ctx, t, committed)
}

// otherVoters returns who votes beside this replica, and how many of them it needs.
func (r *replica) otherVoters() (others []raft.ServerID, quorum int) {
	voters := 0
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		if voters++; s.ID != raft.ServerID(r.config.Server) {
			others = append(others, s.ID)
		}
	}
	quorum = voters/2 + 1
	if len(others) < voters {
		quorum--
	}
	return others, quorum
}

// awaitApplied returns when the entries up to index, which are committed, are applied.
func (r *replica) awaitApplied(ctx context.Context, t *tenure, index uint64) error {
	for {
		through, grown := r.machine.progress(index)
		for ; index > through; index-- {
			// The machine does not see raft's own entries.
			var e raft.Log
			if err := r.log.GetLog(index, &e); err != nil || e.Type != raft.LogNoop && e.Type != raft.LogBarrier {
				break
			}
		}
		if index <= through {
			return nil
		}
		select {
		case <-grown:
		case <-t.ended:
			return r.notLeader()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
