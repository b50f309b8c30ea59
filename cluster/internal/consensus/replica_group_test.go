package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// group is nodes, some of which have a replica of one core.
type group struct {
	t         testing.TB
	net       *pipeNetwork
	dir       string // of all; "" is in memory
	timing    Timing
	voters    int
	threshold uint64
	log       *slog.Logger
	listeners map[string]net.Listener // with useTCP, and the addresses
	dialers   map[string]string

	mu       sync.Mutex
	nodes    []string
	away     map[string]bool // not members
	servers  map[string]string
	replicas map[string]*replica
	began    time.Time
}

func newGroup(t testing.TB, nodes ...string) *group {
	g := &group{
		t: t, net: newPipeNetwork(t), timing: Local(), voters: len(nodes), log: slog.New(slog.DiscardHandler),
		nodes: nodes, away: map[string]bool{}, servers: map[string]string{}, replicas: map[string]*replica{}, began: time.Now(),
	}
	if testing.Verbose() {
		g.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	t.Cleanup(func() {
		for _, r := range g.all() {
			if err := r.Close(); err != nil {
				t.Errorf("closing %s: %v", r.config.Server, err)
			}
		}
	})
	return g
}

// newDiskGroup is newGroup with folders.
func newDiskGroup(t testing.TB, nodes ...string) *group {
	dir := t.TempDir() // is removed after the replicas are closed
	g := newGroup(t, nodes...)
	g.dir = dir
	return g
}

func (g *group) all() []*replica {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*replica
	for _, node := range g.nodes {
		if r := g.replicas[node]; r != nil {
			all = append(all, r)
		}
	}
	return all
}

func (g *group) members() []Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	var members []Member
	for i, node := range g.nodes {
		if g.away[node] {
			continue
		}
		m := Member{Name: node, Started: g.began.Add(time.Duration(i))}
		if g.replicas[node] != nil {
			m.Core = Announcement{Core: "core", Server: g.servers[node]}
		}
		members = append(members, m)
	}
	return members
}

func (g *group) config(node string) replicaConfig {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.servers[node] == "" {
		g.servers[node] = newServer(node)
	}
	c := replicaConfig{
		Core: "core", Server: g.servers[node], Node: node,
		Logger: g.log.With("node", node), Timing: g.timing, Voters: g.voters, snapshotThreshold: g.threshold,
		Dial:     func(ctx context.Context, to string) (net.Conn, error) { return g.net.dial(ctx, node, to) },
		Listener: g.net.listen(node), Peer: peerOf,
		Members: g.members,
		Invite:  g.invite,
	}
	if l := g.listeners[node]; l != nil {
		c.Listener = l
		c.Dial = func(ctx context.Context, to string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", g.dialers[to])
		}
	}
	if g.dir != "" {
		c.Dir = filepath.Join(g.dir, node)
	}
	return c
}

func (g *group) open(c replicaConfig) *replica {
	g.t.Helper()
	r, err := openReplica(g.t.Context(), c)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replicas[c.Node] = r
	return r
}

// start opens the replica of a node, of before or an empty one.
func (g *group) start(node string) *replica {
	g.t.Helper()
	return g.open(g.config(node))
}

// found starts the first n nodes as voters.
func (g *group) found(n int) *group {
	g.t.Helper()
	var founders []raftServer
	configs := make([]replicaConfig, n)
	for i, node := range g.nodes[:n] {
		configs[i] = g.config(node)
		founders = append(founders, raftServer{Node: node, Server: configs[i].Server})
	}
	for i := range slices.Backward(configs) {
		if i == 0 {
			configs[i].Bootstrap = founders
		}
		g.open(configs[i])
	}
	return g
}

func (g *group) invite(ctx context.Context, node, core, _ string) (string, error) {
	g.mu.Lock()
	r, away := g.replicas[node], g.away[node]
	g.mu.Unlock()
	switch {
	case away:
		return "", errors.New("away")
	case r == nil:
		r = g.start(node)
	}
	return r.config.Server, nil
}

// stop closes the replica of a node, as at the end of the process.
func (g *group) stop(node string) {
	g.t.Helper()
	g.mu.Lock()
	r := g.replicas[node]
	delete(g.replicas, node)
	g.mu.Unlock()
	if err := r.Close(); err != nil {
		g.t.Error(err)
	}
}

func (g *group) setAway(node string, away bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.away[node] = away
}

// leader waits until one of the nodes leads.
func (g *group) leader(among ...string) *replica {
	g.t.Helper()
	for range 3000 {
		for _, r := range g.all() {
			if _, _, ok := r.Leads(); ok && (among == nil || slices.Contains(among, r.config.Node)) {
				return r
			}
		}
		tick()
	}
	g.t.Fatal("nobody leads")
	return nil
}

// until waits for a condition.
func (g *group) until(what string, met func() bool) {
	g.t.Helper()
	for range 6000 {
		if met() {
			return
		}
		tick()
	}
	g.t.Fatalf("it never is that %s", what)
}

func tick() { <-time.After(10 * time.Millisecond) }

func (g *group) others(not *replica) []string {
	return slices.DeleteFunc(slices.Clone(g.nodes), func(node string) bool { return node == not.config.Node })
}

func put(key, value string) persistence.Transaction {
	return persistence.Transaction{Then: []persistence.Change{{Key: key, Value: []byte(value)}}}
}

var background = context.Background()

// write proposes at whoever leads until it is known that it has happened.
func (g *group) write(from string, sequence uint64, ts ...persistence.Transaction) []badger.Outcome {
	g.t.Helper()
	for range 3000 {
		ctx, cancel := context.WithTimeout(background, time.Second)
		outcomes, err := g.leader().Propose(ctx, from, sequence, ts)
		cancel()
		if err == nil {
			return outcomes
		}
		tick()
	}
	g.t.Fatal("a write has not come about")
	return nil
}

func (g *group) fill(from, count int) {
	g.t.Helper()
	for i := range count {
		g.write("", 0, put(fmt.Sprintf("key %05d", from+i), fmt.Sprint("value ", from+i)))
	}
}

// have waits until those replicas have a record.
func (g *group) have(key, value string, rs ...*replica) {
	g.t.Helper()
	for _, r := range rs {
		g.until(fmt.Sprintf("%s has %s = %s", r.config.Node, key, value), func() bool {
			got, err := r.Store().Get(background, key)
			return err == nil && string(got.Value) == value
		})
	}
}

// equal checks that replicas are, revisions included.
func (g *group) equal(rs ...*replica) {
	g.t.Helper()
	g.until("all have applied the same", func() bool {
		for _, r := range rs {
			if r.Store().Applied() != rs[0].Store().Applied() {
				return false
			}
		}
		return true
	})
	want, err := rs[0].Store().List(background, persistence.Query{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, r := range rs[1:] {
		got, err := r.Store().List(background, persistence.Query{})
		if err != nil {
			g.t.Fatal(err)
		}
		same := slices.EqualFunc(got, want, func(a, b persistence.Record) bool {
			return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Revision == b.Revision && a.Expires.Equal(b.Expires)
		})
		if !same || r.Store().Latest() != rs[0].Store().Latest() {
			g.t.Errorf("%s has %d records at revision %d, %s has %d at %d, and they differ", r.config.Node, len(got), r.Store().Latest(),
				rs[0].config.Node, len(want), rs[0].Store().Latest())
		}
	}
}
