package topic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// playDurable runs a test on a cluster in virtual time, whose nodes all expect each other.
func playDurable(t *testing.T, nodes int, test func(t *testing.T, c *clustertest.Cluster), options ...cluster.Option) {
	t.Helper()
	clustertest.Run(t, nodes, test, append(options, cluster.WithExpect(min(nodes, 3)))...)
}

// durable returns the topic of most tests.
func durable(n *cluster.Node, options ...Option) *Topic[Placed] {
	return Of[Placed](n, "orders", append([]Option{Durable(), Partitions(4)}, options...)...)
}

// put publishes an event that must be stored.
func put(t testing.TB, on *Topic[Placed], e Placed, options ...PublishOption) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := on.Publish(ctx, e, options...); err != nil {
		t.Fatalf("publishing %+v: %v", e, err)
	}
}

// handling is one time that an event was handled.
type handling struct {
	group, node string
	event       Event[Placed]
}

// journal remembers what the groups of a test have handled, in order, and judges it.
type journal struct {
	mu      sync.Mutex
	all     []handling
	acked   map[Placed]string // key of what is surely stored
	changed chan struct{}
}

func newJournal() *journal {
	return &journal{acked: make(map[Placed]string), changed: make(chan struct{})}
}

func (j *journal) add(h handling) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, h)
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) stored(e Placed, key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.acked[e] = key
}

// put publishes an event with a key, which must be stored.
func (j *journal) put(t testing.TB, on *Topic[Placed], e Placed, key string) {
	t.Helper()
	put(t, on, e, Key(key))
	j.stored(e, key)
}

// subscribe adds a member of a group, which handles all that it gets.
func (j *journal) subscribe(t testing.TB, n *cluster.Node, group string, options ...SubscribeOption) *Subscription {
	t.Helper()
	return j.subscribeWith(t, n, group, func(Event[Placed]) error { return nil }, options...)
}

func (j *journal) subscribeWith(t testing.TB, n *cluster.Node, group string, handle func(Event[Placed]) error, options ...SubscribeOption) *Subscription {
	t.Helper()
	s, err := durable(n).Subscribe(context.Background(), func(_ context.Context, e Event[Placed]) error {
		j.add(handling{group, n.Name(), e})
		return handle(e)
	}, append(options, Group(group))...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits until all that is stored has been handled by the groups.
func (j *journal) await(t testing.TB, groups ...string) {
	t.Helper()
	for late := time.After(5 * time.Minute); ; {
		j.mu.Lock()
		missing, changed := j.missing(groups), j.changed
		j.mu.Unlock()
		if len(missing) == 0 {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%d of %d events were not handled, such as %v", len(missing), len(j.acked), missing[0])
		}
	}
}

// missing returns what is stored, and was not handled by all groups.
func (j *journal) missing(groups []string) (missing []Placed) {
	handled := make(map[string]map[Placed]bool)
	for _, h := range j.all {
		if handled[h.group] == nil {
			handled[h.group] = make(map[Placed]bool)
		}
		handled[h.group][h.event.Value] = true
	}
	for e := range maps.Keys(j.acked) {
		if slices.ContainsFunc(groups, func(g string) bool { return !handled[g][e] }) {
			missing = append(missing, e)
		}
	}
	return missing
}

// judge checks that events of a key were handled in order, that offsets name events, and
// that at most one of the times an event was handled by a group claims to be the first.
func (j *journal) judge(t testing.TB) (redelivered int) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	type at struct {
		group     string
		partition int
		offset    uint64
	}
	seen, first, latest := make(map[at]Placed), make(map[at]bool), make(map[string]uint64)
	for _, h := range j.all {
		e := h.event
		here := at{h.group, e.Partition, e.Offset}
		before, again := seen[here]
		if again && before != e.Value {
			t.Errorf("%+v is %+v and %+v", here, before, e.Value)
		}
		if e.Attempt == 1 {
			if first[here] {
				t.Errorf("%+v was handled twice for the first time", here)
			}
			first[here] = true
		}
		if again {
			redelivered++
			continue
		}
		seen[here] = e.Value
		line := h.group + "/" + e.Key
		if e.Key != "" && e.Offset <= latest[line] {
			t.Errorf("%s: event %d came after event %d", line, e.Offset, latest[line])
		}
		latest[line] = max(latest[line], e.Offset)
	}
	return redelivered
}

// inspectGroup returns what a group of the topic is.
func inspectGroup(t testing.TB, on *Topic[Placed], name string) GroupInfo {
	t.Helper()
	info, err := on.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range info.Groups {
		if g.Name == name {
			return g
		}
	}
	return GroupInfo{}
}

// owners returns who owns the partitions, when somebody does.
func owners(t testing.TB, n *cluster.Node) []string {
	t.Helper()
	info, err := durable(n).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range info.Partitions {
		all = append(all, p.Node)
	}
	return all
}

// indexOf returns the index of a node of the cluster.
func indexOf(t testing.TB, c *clustertest.Cluster, name string) int {
	t.Helper()
	for i := range len(c.Nodes()) {
		if c.Node(i).Name() == name {
			return i
		}
	}
	t.Fatalf("there is no node %q", name)
	return 0
}

func keyOf(i int) string { return fmt.Sprint("customer-", i) }

// letters of dead events.
func deadLetters(t testing.TB, n *cluster.Node) chan Event[DeadLetter] {
	t.Helper()
	all := make(chan Event[DeadLetter], 100)
	_, err := durable(n).DeadLetters().Subscribe(t.Context(), func(_ context.Context, e Event[DeadLetter]) error {
		all <- e
		return nil
	}, Group("support"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var errPoison = errors.New("poison")

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }
