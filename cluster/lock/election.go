package lock

import (
	"context"

	"github.com/troupe-go/troupe/cluster"
)

// Leadership is that of an election that was won. All methods may be called
// concurrently.
type Leadership struct{ lock *Lock }

// Campaign waits until this node is the leader of the election with that name, any text
// of up to 1 KiB. value is shown to those who [Observe]. Candidates win in the order in
// which they came; a node may have several. All else is as for [Acquire]; elections and
// locks with the same name have nothing to do with each other.
func Campaign(ctx context.Context, n *cluster.Node, election, value string) (*Leadership, error) {
	return campaign(ctx, node{n}, election, value)
}

func campaign(ctx context.Context, h host, election, value string) (*Leadership, error) {
	q, err := newElection(election)
	if err != nil {
		return nil, err
	}
	r, err := newRequest([]Option{WithValue(value)})
	if err != nil {
		return nil, err
	}
	l, err := q.acquire(ctx, h, r, false)
	if err != nil {
		return nil, err
	}
	return &Leadership{l}, nil
}

func newElection(name string) (queue, error) { return newQueue("election", electionQueues, name) }

// Election returns the name given to [Campaign].
func (l *Leadership) Election() string { return l.lock.Name() }

// Term returns the number of this leadership, a fencing token: higher than that of every
// leader before, for ever. See [Lock.Token].
func (l *Leadership) Term() uint64 { return l.lock.Token() }

// Lost returns a channel that is closed before anybody else can be the leader; see
// [Lock.Lost].
func (l *Leadership) Lost() <-chan struct{} { return l.lock.Lost() }

// Err returns nil as long as this surely is the leader, judged by the clock at the call,
// and else an error that is [ErrLost] or [ErrReleased].
func (l *Leadership) Err() error { return l.lock.Err() }

// Resign lets the next candidate be the leader; see [Lock.Release].
func (l *Leadership) Resign(ctx context.Context) error { return l.lock.Release(ctx) }
