package virtual

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// rolling is a cluster on the replicated store whose nodes leave and come back in turn,
// while all that run are asked.
type rolling struct {
	*stage
	dirs []string
	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	nodes    []*cluster.Node // nil while one is not to be asked
	calls    int
	failures map[string]int
	first    map[string]string
}

// roll plays a rolling restart. ask makes one call from a node.
func roll(t *testing.T, restarts int, serve func(*stage, *cluster.Node), ask func(context.Context, *cluster.Node, *rand.Rand) error) {
	t.Helper()
	const nodes, askers = 3, 10
	dirs := make([]string, nodes)
	for i := range dirs {
		dirs[i] = clustertest.TempDir(t)
	}
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		r := &rolling{
			stage: &stage{Cluster: c, t: t, ledger: newLedger()}, dirs: dirs, stop: make(chan struct{}),
			nodes: make([]*cluster.Node, nodes), failures: make(map[string]int), first: make(map[string]string),
		}
		c.Network.SetDelay(200*time.Microsecond, 3*time.Millisecond)
		for i := range nodes {
			r.nodes[i] = c.Start(fmt.Sprintf("node-%d", i), cluster.WithStateDir(dirs[i]), cluster.WithExpect(nodes))
		}
		c.AwaitMembers(nodes)
		for _, n := range r.nodes {
			serve(r.stage, n)
		}
		<-time.After(20 * time.Second) // all vote, and have their shares
		for i := range nodes {
			for j := range askers {
				r.wg.Go(func() { r.work(i, rand.New(rand.NewPCG(uint64(i), uint64(j))), ask) })
			}
		}
		for k := range restarts {
			<-time.After(time.Second)
			r.restart(k%nodes, serve)
		}
		<-time.After(2 * time.Second)
		close(r.stop)
		r.wg.Wait()
		r.report()
		r.ledger.check(t)
	})
}

// restart lets a node leave, and starts it again.
func (r *rolling) restart(i int, serve func(*stage, *cluster.Node)) {
	r.t.Helper()
	n := r.node(i)
	r.set(i, nil)
	began := time.Now()
	if err := n.Leave(within(r.t, 20*time.Second)); err != nil {
		r.t.Errorf("leaving: %v", err)
	}
	r.t.Logf("%s left in %v", n.Name(), time.Since(began))
	<-time.After(100 * time.Millisecond)
	n = r.Restart(i, cluster.WithStateDir(r.dirs[i]), cluster.WithExpect(len(r.dirs)))
	serve(r.stage, n)
	r.set(i, n)
	for { // as an orchestrator does: the next goes when this one is ready
		if _, err := n.Store().Get(within(r.t, time.Second), "ready"); actor.CodeOf(err) == actor.NotFound {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (r *rolling) node(i int) *cluster.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[i]
}

func (r *rolling) set(i int, n *cluster.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[i] = n
}

func (r *rolling) work(i int, random *rand.Rand, ask func(context.Context, *cluster.Node, *rand.Rand) error) {
	for {
		select {
		case <-time.After(time.Duration(random.Int64N(int64(40 * time.Millisecond)))):
		case <-r.stop:
			return
		}
		n := r.node(i)
		if n == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		began := time.Now()
		err := ask(ctx, n, random)
		cancel()
		r.mu.Lock()
		r.calls++
		if err != nil {
			what := "elsewhere: "
			if r.nodes[i] != n {
				what = "on the leaver: "
			}
			what += classify(err)
			r.failures[what]++
			if r.first[what] == "" {
				r.first[what] = fmt.Sprintf("%s after %v: %v", n.Name(), time.Since(began), err)
			}
		}
		r.mu.Unlock()
	}
}

// classify leaves out of an error's text what differs from call to call.
func classify(err error) string {
	e := actor.AsError(err)
	text := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, e.Message)
	return fmt.Sprintf("%v, not run %t: %.150s", e.Code, e.NotRun, text)
}

func (r *rolling) report() {
	r.t.Logf("%d calls", r.calls)
	if r.calls < 1000 {
		r.t.Error("too few to tell anything")
	}
	for _, what := range slices.Sorted(maps.Keys(r.failures)) {
		r.t.Errorf("%d failed: %s\n\tfirst: %s", r.failures[what], what, r.first[what])
	}
}

var restarts = flag.Int("restarts", 3, "how many nodes are restarted in turn")

// Nodes leave and come back in turn: no call of a virtual actor, and none of a singleton,
// fails that has five seconds.
func TestNoCallFailsInARollingRestart(t *testing.T) {
	t.Parallel()
	roll(t, *restarts, func(s *stage, n *cluster.Node) {
		s.serveReplicated([]*cluster.Node{n})
		if _, err := Singleton(n, s.ledger.definition("janitor")); err != nil {
			s.t.Error(err)
		}
	}, func(ctx context.Context, n *cluster.Node, random *rand.Rand) error {
		to := Ref[Room](n, "janitor", "")
		if key := random.IntN(60); key < 50 {
			to = roomOf(n, fmt.Sprint("key", key))
		}
		_, err := actor.Ask(ctx, to, Add{})
		return err
	})
}
