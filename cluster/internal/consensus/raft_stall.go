package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/consensus/stopwatch"
)

// errStalled says that a leader did not get on, and gave up: the replica has to be opened
// again.
var errStalled = errors.New("consensus: the leader does not get on, and gives up leading")

// stall is how long a leader may be stuck. A slow disk is better than an election.
func (t Timing) stall() time.Duration { return max(5*t.Election, 2*time.Second) }

// stuck returns what this replica has been at for longest, for how long, and "" if there
// is nothing.
func (r *replica) stuck() (what string, took time.Duration) {
	where := r.config.Dir
	if where == "" {
		where = "memory"
	}
	for _, at := range []struct {
		watch *stopwatch.Stopwatch
		what  string
	}{
		{r.log.Writing(), "a write to the log in " + where + " has not returned"},
		{&r.machine.applying, "a write to the store in " + where + " has not returned"},
		{&r.reads.confirming, "reads are not confirmed"},
	} {
		if d := at.watch.Longest(); d > took {
			what, took = at.what, d
		}
	}
	return what, took
}

// oversee gives up leading when this replica is stuck, so that another one can lead: its
// heartbeats alone would keep it the leader for ever. It is run by the leader.
func (r *replica) oversee(ctx context.Context) {
	for pause(ctx, r.config.Timing.Heartbeat) {
		what, took := r.stuck()
		if took < r.config.Timing.stall() || r.machine.replacing.Load() {
			continue
		}
		for _, s := range r.raft.GetConfiguration().Configuration().Servers {
			if string(s.ID) != r.config.Server && r.follows(r.raft.CurrentTerm(), s.ID) {
				r.fail(fmt.Errorf("%w: %s for %v", errStalled, what, took.Round(time.Millisecond)))
				return
			}
		}
	}
}
