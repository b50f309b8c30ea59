package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Worker is the protocol of the actor that most tests use.
type Worker struct{}

// Where is answered with the name of the node that handles it.
type Where struct {
	actor.Call[Worker, string]
	Key string
}

func (w Where) RouteKey() string { return w.Key }

// Again is Where, but may be handled twice.
type Again struct {
	actor.Call[Worker, string]
	actor.Idempotent
}

// Hold is handled until the gate of its handler opens or its context ends.
type Hold struct{ actor.Call[Worker, string] }

// HoldAgain is Hold, but may be handled twice.
type HoldAgain struct {
	actor.Call[Worker, string]
	actor.Idempotent
}

// Echo is answered with its text.
type Echo struct {
	actor.Call[Worker, []byte]
	Text []byte
}

// Grow is answered with so many bytes.
type Grow struct {
	actor.Call[Worker, []byte]
	Bytes int
}

// Fail makes the handler fail in the given way.
type Fail struct {
	actor.Call[Worker, string]
	How string
}

var errBroke = actor.NewError(actor.FailedPrecondition, "broke")

// Note is recorded where it arrives.
type Note struct {
	actor.Cast[Worker]
	From string
	N    int
}

// Stop ends the actor.
type Stop struct{ actor.Cast[Worker] }

// Who is answered with who sent it.
type Who struct {
	actor.Call[Worker, Sender]
}

type Sender struct {
	Node string
	Ref  actor.Ref[Worker]
}

// Ring passes itself on to the first of its Refs, and is answered with the nodes
// it came through.
type Ring struct {
	actor.Call[Worker, []string]
	To []actor.Ref[Worker]
}

// bench is what the workers of one test share.
type bench struct {
	gate    chan struct{} // opens Hold
	holding chan string   // gets the node of each Hold that begins
	ended   chan error    // gets why the context of a Hold ended

	mu    sync.Mutex
	notes map[string][]int
	ran   map[string]int // by node
	dead  []actor.DeadLetter
}

func newBench() *bench {
	return &bench{
		gate: make(chan struct{}), holding: make(chan string, 10_000), ended: make(chan error, 10_000),
		notes: make(map[string][]int), ran: make(map[string]int),
	}
}

func (b *bench) worker(name string) actor.Definition[Worker] {
	return actor.Define(name, func() *worker { return &worker{bench: b} },
		actor.OnCall((*worker).where), actor.OnCall((*worker).again),
		actor.OnCall((*worker).hold), actor.OnCall((*worker).holdAgain),
		actor.OnCall((*worker).echo), actor.OnCall((*worker).grow), actor.OnCall((*worker).fail),
		actor.OnCall((*worker).who), actor.OnCall((*worker).ring),
		actor.OnCast((*worker).note), actor.OnCast((*worker).stop),
	)
}

// serve starts a worker on each node, and waits until all know of it.
func (b *bench) serve(t testing.TB, c *clustertest.Cluster, nodes ...*cluster.Node) {
	t.Helper()
	for _, n := range nodes {
		if err := n.Serve(b.worker("worker")); err != nil {
			t.Fatal(err)
		}
	}
	c.AwaitService("worker", len(nodes))
}

func (b *bench) deadLetter(d actor.DeadLetter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = append(b.dead, d)
}

func (b *bench) notesOf(from string) []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]int(nil), b.notes[from]...)
}

func (b *bench) runsOn(node string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ran[node]
}

func (b *bench) deadLetters() []actor.DeadLetter {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]actor.DeadLetter(nil), b.dead...)
}

type worker struct{ bench *bench }

func (w *worker) where(ctx *actor.Context, _ Where) (string, error) {
	w.bench.mu.Lock()
	defer w.bench.mu.Unlock()
	w.bench.ran[ctx.System().Node()]++
	return ctx.System().Node(), nil
}

func (w *worker) again(ctx *actor.Context, _ Again) (string, error) { return w.where(ctx, Where{}) }

func (w *worker) hold(ctx *actor.Context, _ Hold) (string, error) {
	w.bench.holding <- ctx.System().Node()
	select {
	case <-w.bench.gate:
		return ctx.System().Node(), nil
	case <-ctx.Done():
		w.bench.ended <- ctx.Err()
		return "", ctx.Err()
	}
}

func (w *worker) holdAgain(ctx *actor.Context, _ HoldAgain) (string, error) {
	return w.hold(ctx, Hold{})
}

func (w *worker) echo(_ *actor.Context, m Echo) ([]byte, error) { return m.Text, nil }

func (w *worker) grow(_ *actor.Context, m Grow) ([]byte, error) { return make([]byte, m.Bytes), nil }

func (w *worker) fail(_ *actor.Context, m Fail) (string, error) {
	switch m.How {
	case "sentinel":
		return "", errBroke
	case "wrapped":
		return "", fmt.Errorf("while working: %w", errBroke)
	case "plain":
		return "", errors.New("no code")
	case "not found":
		return "", actor.Errorf(actor.NotFound, "no such thing")
	case "deadline":
		return "", context.DeadlineExceeded
	}
	panic(m.How)
}

func (w *worker) note(_ *actor.Context, m Note) error {
	w.bench.mu.Lock()
	defer w.bench.mu.Unlock()
	w.bench.notes[m.From] = append(w.bench.notes[m.From], m.N)
	return nil
}

func (w *worker) stop(ctx *actor.Context, _ Stop) error {
	ctx.Stop()
	return nil
}

func (w *worker) who(ctx *actor.Context, _ Who) (Sender, error) {
	from := ctx.Caller()
	ref, err := actor.Resolve[Worker](ctx.System(), from.Address.String())
	if from.Address == (actor.Address{}) {
		ref, err = actor.Ref[Worker]{}, nil
	}
	return Sender{Node: from.Node, Ref: ref}, err
}

func (w *worker) ring(ctx *actor.Context, m Ring) ([]string, error) {
	here := []string{ctx.System().Node()}
	if len(m.To) == 0 {
		return here, nil
	}
	rest, err := actor.Ask(ctx, m.To[0], Ring{To: m.To[1:]})
	return append(here, rest...), err
}

// spawn starts a worker that is no service, and returns a Ref to it for by.
func (b *bench) spawn(t testing.TB, on, by *cluster.Node, options ...actor.SpawnOption) actor.Ref[Worker] {
	t.Helper()
	ref, err := actor.Spawn(on.System(), b.worker("spawned"), options...)
	if err != nil {
		t.Fatal(err)
	}
	return refFor(t, by, ref)
}

// refFor returns the Ref as another node has it.
func refFor(t testing.TB, by *cluster.Node, ref actor.Ref[Worker]) actor.Ref[Worker] {
	t.Helper()
	found, err := actor.Resolve[Worker](by.System(), ref.String())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func workers(n *cluster.Node, options ...cluster.ServiceOption) actor.Ref[Worker] {
	return cluster.Service[Worker](n, "worker", options...)
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func wantCode(t testing.TB, what string, err error, code actor.Code) {
	t.Helper()
	if actor.CodeOf(err) != code {
		t.Errorf("%s: error %v, want %v", what, err, code)
	}
}

// quiet turns the environment off.
func quiet() cluster.Option {
	return cluster.WithEnvironment(func(string) string { return "" })
}
