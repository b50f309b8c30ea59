package chaos

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// seed and length make longer runs: go test ./cluster/internal/chaos -run InMemory -chaos 1h -seed 7
var (
	seed   = flag.Uint64("seed", 1, "of the faults")
	rounds = flag.Uint64("rounds", 1, "how many seeds from there on")
	kinds  = flag.String("kinds", "", "of faults: words of their names, with commas between them; all if empty")
	length = flag.Duration("chaos", 12*time.Second, "how long faults happen, in the time of the test")
)

func TestThePromisesHoldInMemory(t *testing.T) {
	for _, nodes := range []int{3, 5} {
		for round := range *rounds {
			seed := *seed + round
			t.Run(fmt.Sprintf("%d nodes, seed %d", nodes, seed), func(t *testing.T) { inMemory(t, nodes, seed) })
		}
	}
}

// inMemory torments a cluster in virtual time. The folders of the nodes are real.
func inMemory(t *testing.T, nodes int, seed uint64) {
	dirs := make([]string, nodes)
	for i := range dirs {
		dirs[i] = clustertest.TempDir(t)
	}
	var record bytes.Buffer
	var apart []Apart
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		target := &memory{t: t, c: c, dirs: dirs, record: &lockedBuffer{to: &record}, seed: seed, clients: make([]*Client, nodes), stops: make([]func(), nodes)}
		for i := range nodes {
			target.nodes = append(target.nodes, c.Start(fmt.Sprintf("node-%d", i), cluster.WithStateDir(dirs[i])))
		}
		c.AwaitMembers(nodes)
		for i, n := range target.nodes { // two halves may else found a core each
			target.recovers(i, n)
		}
		began := time.Now()
		for i := range nodes {
			target.work(i)
		}
		plan := Plan{Seed: seed, Length: *length, Log: func(what string) { t.Log(what) }}
		if *kinds != "" {
			plan.Kinds = strings.Split(*kinds, ",")
		}
		apart = Torment(t.Context(), target, plan)
		target.c.Network.Heal()
		for i, n := range target.nodes {
			target.recovers(i, n)
		}
		pause(t.Context(), newRandom(seed), time.Second)
		auditing, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := target.clients[0].Audit(auditing, began); err != nil {
			t.Error(err)
		}
		for i := range nodes {
			target.stops[i]()
		}
	})
	events, err := ReadEvents(&record)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(events, 5*time.Minute)
	t.Logf("%+v", report)
	tallies := Count(events, apart, host)
	t.Logf("of what nodes were asked that were not apart:\n%v", tallies)
	if err := errors.Join(err, tallies.Excess()); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	if report.Done < 100 {
		t.Errorf("only %d operations were done: nothing was tested", report.Done)
	}
}

// memory is a cluster in this process.
type memory struct {
	t        *testing.T
	c        *clustertest.Cluster
	dirs     []string
	nodes    []*cluster.Node
	record   *lockedBuffer
	resource MemoryResource
	seed     uint64
	runs     int
	clients  []*Client
	stops    []func()
}

func (m *memory) Nodes() int       { return len(m.nodes) }
func (m *memory) Cut(from, to int) { m.c.Network.Cut(host(from), host(to)) }
func (m *memory) Heal()            { m.c.Network.Heal() }
func (m *memory) Pause(i int)      { m.c.Network.Host(host(i)).Freeze() }
func (m *memory) Resume(i int)     { m.c.Network.Host(host(i)).Thaw() }

func (m *memory) Leader() int {
	for _, n := range m.nodes {
		for i := range m.nodes {
			if n.Store().Leader() == host(i) {
				return i
			}
		}
	}
	return -1
}

// voters is how many there are by default.
const voters = 3

func (m *memory) AwaitVoters() {
	for start := time.Now(); ; <-time.After(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(m.t.Context(), timeout)
		status, err := m.nodes[0].Store().Status(ctx)
		cancel()
		if err == nil && len(status.Voters) == voters {
			return
		}
		if time.Since(start) > time.Minute {
			m.t.Errorf("the core lacks voters a minute after the last fault: %v, %v", status.Voters, err)
			return
		}
	}
}

func (m *memory) Kill(i int) {
	m.c.Crash(i)
	m.stops[i]()
}

// Leave lets the clients work on, as those of a process do.
func (m *memory) Leave(i int) {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	if err := m.nodes[i].Leave(ctx); err != nil {
		m.t.Logf("%s: %v", host(i), err) // without a majority it may
	}
	m.stops[i]()
}

func (m *memory) Wipe(i int) {
	<-m.nodes[i].Done() // it has its folder as long as that
	if err := os.RemoveAll(m.dirs[i]); err != nil {
		m.t.Error(err)
	}
}

// CanHang is false: this file system is not one in memory.
func (m *memory) CanHang() bool { return false }
func (m *memory) Hang(int)      {}
func (m *memory) Unhang(int)    {}

func (m *memory) Restart(i int) {
	<-m.nodes[i].Done() // it has its folder as long as that
	m.nodes[i] = m.c.Restart(i, cluster.WithStateDir(m.dirs[i]))
	m.work(i)
}

func host(i int) string { return fmt.Sprintf("node-%d", i) }

// work starts the clients of a node.
func (m *memory) work(i int) {
	m.runs++
	run := fmt.Sprintf("%s.%d", host(i), m.runs)
	client := &Client{Node: m.nodes[i], Recorder: NewRecorder(run, m.record), Resource: &m.resource, Seed: m.seed + uint64(m.runs), Run: run}
	m.clients[i] = client
	if err := client.Serve(); err != nil {
		m.t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Work(ctx)
	}()
	m.stops[i] = func() {
		cancel()
		<-done
	}
}

// recovers makes sure that a node can use the core again.
func (m *memory) recovers(i int, n *cluster.Node) {
	m.t.Helper()
	const patience = time.Minute
	for start := time.Now(); ; <-time.After(time.Second) {
		ctx, cancel := context.WithTimeout(m.t.Context(), timeout)
		_, err := persistence.Put(ctx, n.Store(), "recovered/"+host(i), nil)
		cancel()
		if err == nil {
			return
		}
		if time.Since(start) > patience {
			m.t.Fatalf("%s cannot write %v after the network has healed: %v", host(i), patience, err)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	to *bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.to.Write(data)
}
