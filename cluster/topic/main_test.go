package topic

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Placed is what most tests publish.
type Placed struct {
	From string
	N    int
}

// Cancelled is another type of events.
type Cancelled struct{ Reason string }

// recorder remembers events.
type recorder struct {
	mu     sync.Mutex
	events []Event[Placed]
}

func (r *recorder) handle(_ context.Context, e Event[Placed]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) all() []Event[Placed] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// numbers returns those of the events, in the order in which they came.
func (r *recorder) numbers() []int {
	var all []int
	for _, e := range r.all() {
		all = append(all, e.Value.N)
	}
	return all
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

// want checks that all of the n events came, once each, in order.
func (r *recorder) want(t testing.TB, who string, n int) {
	t.Helper()
	if got := r.numbers(); !slices.Equal(got, upTo(n)) {
		t.Errorf("%s got %d events, want %d: %.200s", who, len(got), n, fmt.Sprint(got))
	}
}

// spread checks that the recorders together got the n events, once each.
func spread(t testing.TB, n int, all ...*recorder) {
	t.Helper()
	var got []int
	for _, r := range all {
		got = append(got, r.numbers()...)
	}
	slices.Sort(got)
	if !slices.Equal(got, upTo(n)) {
		t.Errorf("%d events came, want each of %d once", len(got), n)
	}
}

func subscribe(t testing.TB, n *cluster.Node, name string, options ...SubscribeOption) (*recorder, *Subscription) {
	t.Helper()
	r := new(recorder)
	s, err := Of[Placed](n, name).Subscribe(t.Context(), r.handle, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

// publish publishes the events 0 to count-1.
func publish(t testing.TB, n *cluster.Node, name string, count int) {
	t.Helper()
	orders := Of[Placed](n, name)
	for i := range count {
		if err := orders.Publish(t.Context(), Placed{n.Name(), i}); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits until the nodes know who is interested.
func await(t testing.TB, nodes []*cluster.Node, name string, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, n := range nodes {
		orders := Of[Placed](n, name)
		if err := n.Await(ctx, func() bool { return slices.Equal(orders.Interested(), want) }); err != nil {
			t.Fatalf("%s knows that %v want %s, not %v", n.Name(), orders.Interested(), name, want)
		}
	}
}

func nodes(c *clustertest.Cluster, count int) []*cluster.Node {
	var all []*cluster.Node
	for i := range count {
		all = append(all, c.Node(i))
	}
	return all
}

// settle lets everything come to rest.
func settle() {
	<-time.After(2 * time.Second)
	synctest.Wait()
}

// letters counts dead letters.
type letters struct{ count atomic.Int64 }

func (l *letters) option() cluster.Option {
	return cluster.WithActors(actor.WithDeadLetters(func(actor.DeadLetter) { l.count.Add(1) }))
}

func wantCode(t testing.TB, what string, err error, code actor.Code) {
	t.Helper()
	if actor.CodeOf(err) != code {
		t.Errorf("%s: error %v, want %v", what, err, code)
	}
}
