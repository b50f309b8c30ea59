package consensus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// Timing says how soon a core reacts. Choose one of the presets; the nodes of a cluster
// should have the same.
type Timing struct {
	// Heartbeat, Election and LeaderLease are those of raft: how long a follower waits
	// for a sign of its leader, a candidate for votes, and a leader for a majority
	// before it steps down.
	Heartbeat, Election, LeaderLease time.Duration

	// SessionTTL is how long a session outlives its last renewal. Its owner gives up
	// after 4/5 of that, and renews it each tenth. What is left of it at any time, 7/10,
	// must be longer than an election, so that a healthy node keeps its sessions when the
	// leader dies: each of raft's followers waits for 1 to 3 heartbeats before it agrees
	// that the leader is gone, and a split vote takes 1 to 2 more.
	SessionTTL time.Duration

	// Patience is how long requests wait for a leader before they fail where only a
	// minority of the voters can be reached: enough for leadership to be handed over. Where
	// a majority can, they wait for an election as well.
	Patience time.Duration

	// Stabilize is how long a new replica must keep up before it may vote, Replace how
	// long a voter may be gone before another one takes its place.
	Stabilize, Replace time.Duration
}

// Local is for nodes on one host.
func Local() Timing {
	return Timing{
		Heartbeat: 150 * time.Millisecond, Election: 150 * time.Millisecond, LeaderLease: 100 * time.Millisecond,
		SessionTTL: time.Second, Patience: 800 * time.Millisecond,
		Stabilize: time.Second, Replace: 5 * time.Second,
	}
}

// LAN is for nodes in one data centre. It is the default.
func LAN() Timing {
	return Timing{
		Heartbeat: 400 * time.Millisecond, Election: 400 * time.Millisecond, LeaderLease: 300 * time.Millisecond,
		SessionTTL: 2 * time.Second, Patience: 800 * time.Millisecond,
		Stabilize: 2 * time.Second, Replace: 10 * time.Second,
	}
}

// WAN is for nodes far apart.
func WAN() Timing {
	return Timing{
		Heartbeat: 1500 * time.Millisecond, Election: 1500 * time.Millisecond, LeaderLease: time.Second,
		SessionTTL: 12 * time.Second, Patience: 2 * time.Second,
		Stabilize: 10 * time.Second, Replace: time.Minute,
	}
}

// renewal is the time from one renewal of a session to the next.
func (t Timing) renewal() time.Duration { return t.SessionTTL / 10 }

// suspicion is how long an answer of the leader is waited for before it is asked
// whether it still leads.
func (t Timing) suspicion() time.Duration { return min(t.inquiry(), t.renewal()) }

// inquiry is how long servers may take to say how they are.
func (t Timing) inquiry() time.Duration { return t.Patience / 2 }

// lately is for how long an answer shows that a server can be reached.
func (t Timing) lately() time.Duration { return t.Patience / 2 }

// startup is how long the first election of a core may take.
func (t Timing) startup() time.Duration { return t.Patience + 2*t.Heartbeat + 4*t.Election }

// Member is a node of the cluster, as gossip has it.
type Member struct {
	Name        string
	Started     time.Time
	Incarnation uint64
	Core        Announcement
}

// Announcement is what a node tells the others: the core that it knows of, and the ID
// of its replica, if it has one. It is zero for a node that knows of none.
type Announcement struct{ Core, Server string }

// Config is what a [Core] is made of. Its functions may be called concurrently, and must
// not wait for methods of the Core.
type Config struct {
	// Node is the name of this node.
	Node string

	// Dir is the folder for log and store; empty keeps both in memory.
	Dir string

	// Logger gets what is worth knowing. The default discards it.
	Logger *slog.Logger

	// Timing is that of [LAN] if it is zero.
	Timing Timing

	// Voters is how many replicas vote, if there are so many nodes: 1, 3 or 5; default
	// 3. Expect is how many nodes must be there to found a core: up to Voters; default 1.
	Voters, Expect int

	// Settle is how long after New a core can be founded: long enough to find nodes
	// that have one.
	Settle time.Duration

	// Members returns the nodes that are alive, this one included, and MembersChanged
	// a channel that is closed when that changes.
	Members        func() []Member
	MembersChanged func() <-chan struct{}

	// Announce lets the other nodes know of the core.
	Announce func(Announcement)

	// Dial connects to the Listener of another node, which both authenticate. Core
	// closes Listener.
	Dial     func(ctx context.Context, node string) (net.Conn, error)
	Listener net.Listener

	// Peer returns the authenticated name of the node at the other end of a connection
	// of Listener.
	Peer func(net.Conn) (node string, err error)

	// Call has [Core.Handle] of another node answer a request. It returns when ctx
	// ends, and soon when the process of that node hangs. Its errors are actor errors,
	// with NotRun if the other node has surely not seen the request.
	Call func(ctx context.Context, node string, request []byte) ([]byte, error)
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Timing == (Timing{}) {
		c.Timing = LAN()
	}
	if c.Voters == 0 {
		c.Voters = 3
	}
	if c.Expect == 0 {
		c.Expect = 1
	}
	return c
}

func (c Config) validate() error {
	problem := ""
	switch t := c.Timing; {
	case c.Node == "":
		problem = "Node is empty"
	case c.Voters != 1 && c.Voters != 3 && c.Voters != 5:
		problem = fmt.Sprintf("%d voters: choose 1, 3 or 5", c.Voters)
	case c.Expect < 1 || c.Expect > c.Voters:
		problem = fmt.Sprintf("%d nodes are expected: choose 1 to %d, the number of voters", c.Expect, c.Voters)
	case min(t.Heartbeat, t.Election, t.LeaderLease, t.SessionTTL, t.Patience, t.Stabilize, t.Replace) <= 0:
		problem = "a duration of Timing is not positive: take a preset"
	case t.LeaderLease > t.Heartbeat:
		problem = "Timing.LeaderLease is longer than Heartbeat"
	case c.Settle < 0:
		problem = "Settle is negative"
	case c.Members == nil || c.MembersChanged == nil || c.Announce == nil || c.Dial == nil || c.Listener == nil || c.Peer == nil || c.Call == nil:
		problem = "a function or Listener is missing"
	default:
		return nil
	}
	return actor.Errorf(actor.InvalidArgument, "consensus: %s", problem)
}
