package virtual

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Room is the protocol of the virtual actors of most tests.
type Room struct{}

// Add is answered with where it was handled, and how many were before it.
type Add struct {
	actor.Call[Room, Added]
}

type Added struct {
	Node  string
	Key   string
	Count int
	Epoch uint64
}

// Note is told.
type Note struct {
	actor.Cast[Room]
	N int
}

// Hold is handled until its context ends or the gate opens.
type Hold struct{ actor.Call[Room, Added] }

// Hang is handled until the gate opens, whatever its context says.
type Hang struct{ actor.Cast[Room] }

// Quit lets the activation stop by itself.
type Quit struct{ actor.Cast[Room] }

// Visit passes a Ref on, and is answered with what it answers.
type Visit struct {
	actor.Call[Room, Added]
	To actor.Ref[Room]
}

// ledger watches over all activations of a test.
type ledger struct {
	mu       sync.Mutex
	alive    map[string]string // by key: the node of the activation
	epochs   map[string]persistence.Revision
	notes    map[string][]int
	faults   []string
	started  int
	stopped  int
	buried   map[string]bool // nodes that were killed
	gate     chan struct{}
	holding  chan string
	holdEnds chan error
}

func newLedger() *ledger {
	return &ledger{
		alive: make(map[string]string), epochs: make(map[string]persistence.Revision), notes: make(map[string][]int),
		buried: make(map[string]bool), gate: make(chan struct{}), holding: make(chan string, 1000), holdEnds: make(chan error, 1000),
	}
}

func (l *ledger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

func (l *ledger) check(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		t.Error(f)
	}
}

func (l *ledger) places() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.alive)
}

func (l *ledger) counts() (started, stopped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started, l.stopped
}

// bury takes the activations of a process that is killed: its remains in this process
// count no more.
func (l *ledger) bury(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buried[node] = true
	maps.DeleteFunc(l.alive, func(_, n string) bool { return n == node })
}

type room struct {
	ledger *ledger
	key    string
	epoch  persistence.Revision
	count  int
}

func (l *ledger) definition(kind string) actor.Definition[Room] {
	return actor.Define(kind, func() *room { return &room{ledger: l} },
		actor.OnCall((*room).add), actor.OnCast((*room).note), actor.OnCall((*room).hold),
		actor.OnCast((*room).quit), actor.OnCast((*room).hang), actor.OnCall((*room).visit))
}

func (r *room) Started(ctx *actor.Context) error {
	r.key, r.epoch = Key(ctx), Epoch(ctx)
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buried[ctx.System().Node()] {
		return nil
	}
	l.started++
	if other, ok := l.alive[r.key]; ok {
		l.fault("%q is activated on %s beside %s", r.key, ctx.System().Node(), other)
	}
	l.alive[r.key] = ctx.System().Node()
	if r.epoch != 0 && r.epoch < l.epochs[r.key] {
		l.fault("the epoch of %q went back from %d to %d", r.key, l.epochs[r.key], r.epoch)
	}
	l.epochs[r.key] = r.epoch
	return nil
}

func (r *room) Stopped(ctx *actor.Context) {
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped++
	if l.alive[r.key] == ctx.System().Node() {
		delete(l.alive, r.key)
	}
}

func (r *room) add(ctx *actor.Context, _ Add) (Added, error) {
	r.count++
	return Added{Node: ctx.System().Node(), Key: r.key, Count: r.count, Epoch: uint64(r.epoch)}, nil
}

func (r *room) note(_ *actor.Context, m Note) error {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	r.ledger.notes[r.key] = append(r.ledger.notes[r.key], m.N)
	return nil
}

func (r *room) hold(ctx *actor.Context, _ Hold) (Added, error) {
	r.ledger.holding <- ctx.System().Node()
	select {
	case <-r.ledger.gate:
		return r.add(ctx, Add{})
	case <-ctx.Done():
		r.ledger.holdEnds <- ctx.Err()
		return Added{}, ctx.Err()
	}
}

func (r *room) hang(ctx *actor.Context, _ Hang) error {
	r.ledger.holding <- ctx.System().Node()
	<-r.ledger.gate
	return nil
}

func (r *room) quit(ctx *actor.Context, _ Quit) error {
	ctx.Stop()
	return nil
}

func (r *room) visit(ctx *actor.Context, m Visit) (Added, error) { return actor.Ask(ctx, m.To, Add{}) }

// stage is a cluster whose nodes have a testCore in place of the replicated store.
type stage struct {
	*clustertest.Cluster
	t      *testing.T
	core   *testCore
	ledger *ledger
}

// play runs a test on a cluster in virtual time.
func play(t *testing.T, nodes int, test func(t *testing.T, s *stage), options ...cluster.Option) {
	t.Helper()
	clustertest.Run(t, nodes, func(t *testing.T, c *clustertest.Cluster) {
		s := &stage{Cluster: c, t: t, core: newTestCore(), ledger: newLedger()}
		for _, n := range c.Nodes() {
			s.use(n)
		}
		test(t, s)
		s.ledger.check(t)
	}, options...)
}

// use gives a node the core.
func (s *stage) use(n *cluster.Node) {
	m := s.core.member(n.Name())
	extend(n, m.open)
}

// serve lets nodes serve rooms, and waits until each has its share.
func (s *stage) serve(kind string, nodes []*cluster.Node, options ...Option) {
	s.t.Helper()
	for _, n := range nodes {
		if err := Serve(n, s.ledger.definition(kind), options...); err != nil {
			s.t.Fatal(err)
		}
	}
	s.settle()
}

// settle lets everything come to rest.
func (s *stage) settle() {
	<-time.After(300 * time.Millisecond)
	synctest.Wait()
}

func (s *stage) all() []*cluster.Node {
	var nodes []*cluster.Node
	for i := range len(s.Nodes()) {
		nodes = append(nodes, s.Node(i))
	}
	return nodes
}

// crash ends a node as SIGKILL does.
func (s *stage) crash(i int) {
	name := s.Node(i).Name()
	if s.core != nil {
		s.core.cutOff(name)
	}
	s.ledger.bury(name)
	s.Crash(i)
}

func (s *stage) leave(i int) time.Duration {
	s.t.Helper()
	began := time.Now()
	if err := s.Node(i).Leave(within(s.t, time.Minute)); err != nil {
		s.t.Error(err)
	}
	s.core.leave(s.Node(i).Name())
	return time.Since(began)
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func roomOf(n *cluster.Node, key string) actor.Ref[Room] { return Ref[Room](n, "room", key) }

func wantCode(t testing.TB, what string, err error, code actor.Code) {
	t.Helper()
	if actor.CodeOf(err) != code {
		t.Errorf("%s: error %v, want %v", what, err, code)
	}
}

// recorder keeps the messages that are logged.
type recorder struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *recorder) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(line)
}

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// count returns how many lines have a text.
func (r *recorder) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.all.String(), text)
}
