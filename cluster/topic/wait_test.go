package topic

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// said is what nodes have logged at WARN.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) option() cluster.Option {
	return cluster.WithLogger(slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// lines returns how many lines have all the texts.
func (s *said) lines(texts ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for line := range strings.Lines(s.text.String()) {
		has := true
		for _, text := range texts {
			has = has && strings.Contains(line, text)
		}
		if has {
			n++
		}
	}
	return n
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// uses are the calls of durable topics that wait.
func uses(orders, other *Topic[Placed], n *cluster.Node) map[string]func(ctx context.Context) error {
	subscribe := func(ctx context.Context, on *Topic[Placed]) error {
		_, err := on.Subscribe(ctx, new(recorder).handle, Group("billing"))
		return err
	}
	return map[string]func(ctx context.Context) error{
		"Publish":         func(ctx context.Context) error { return orders.Publish(ctx, Placed{}, Key("a")) },
		"Subscribe":       func(ctx context.Context) error { return subscribe(ctx, orders) },
		"Inspect":         func(ctx context.Context) error { _, err := orders.Inspect(ctx); return err },
		"Purge":           func(ctx context.Context) error { return orders.Purge(ctx, End()) },
		"Seek":            func(ctx context.Context) error { return orders.Seek(ctx, "billing", Start()) },
		"first Publish":   func(ctx context.Context) error { return other.Publish(ctx, Placed{}) },
		"first Subscribe": func(ctx context.Context) error { return subscribe(ctx, other) },
		"List":            func(ctx context.Context) error { _, err := List(ctx, n); return err },
	}
}

func TestWaitsForTooFewNodesSayForWhat(t *testing.T) {
	// A deadline may end an attempt or a pause between two.
	for _, patience := range []time.Duration{500 * time.Millisecond, 1900 * time.Millisecond, 3 * time.Second, 7777 * time.Millisecond} {
		var log said
		clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
			n := c.Node(0)
			for what, use := range uses(durable(n), Of[Placed](n, "other", Durable()), n) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				err := use(ctx)
				cancel()
				if actor.CodeOf(err) != actor.DeadlineExceeded || !strings.Contains(fmt.Sprint(err), "1 of the 3 nodes are there") {
					t.Errorf("%s for %v: %v", what, patience, err)
				}
			}
		}, cluster.WithExpect(3), log.option())
		if n := log.lines("waits for", "1 of the 3 nodes are there"); patience > 2*time.Second && n == 0 || n > 30 {
			t.Errorf("in waits of %v the log says %d times for what:\n%s", patience, n, log.String())
		}
	}
}

func TestWaitsForAnOwnerSayForWhat(t *testing.T) {
	var log said
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		for i := range 3 {
			put(t, durable(c.Node(i)), Placed{})
		}
		settle()
		c.Crash(1)
		c.Crash(2)
		<-time.After(20 * time.Second) // their sessions have ended, and nobody can take over
		n := c.Node(0)
		for what, use := range uses(durable(n), Of[Placed](n, "other", Durable()), n) {
			for _, patience := range []time.Duration{300 * time.Millisecond, 4321 * time.Millisecond} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				err := use(ctx)
				cancel()
				text := fmt.Sprint(err)
				if actor.CodeOf(err) != actor.DeadlineExceeded || !strings.Contains(text, "majority") && !strings.Contains(text, "minority") {
					t.Errorf("%s for %v: %v", what, patience, err)
				}
			}
		}
		for _, line := range [][]string{
			{"topic: partition", "is waited for", "majority"},
			{"the first use of", "other", "minority"},
			{"waits for a leader", "minority"},
		} {
			if n := log.lines(line...); n == 0 || n > 20 {
				t.Errorf("the log says %d times %q:\n%s", n, line, log.String())
			}
		}
	}, log.option())
}

func TestASubscriptionThatGetsNothingForLongSaysSo(t *testing.T) {
	var log said
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		for i := range 3 {
			put(t, durable(c.Node(i)), Placed{})
		}
		if _, err := durable(c.Node(0)).Subscribe(t.Context(), new(recorder).handle, Group("billing")); err != nil {
			t.Fatal(err)
		}
		settle()
		c.Crash(1)
		c.Crash(2)
		<-time.After(time.Minute)
		if n := log.lines("topic: partition", "is waited for"); n == 0 || n > 20 {
			t.Errorf("the log says %d times that partitions have no owner:\n%s", n, log.String())
		}
	}, log.option())
}

// What waits for an owner that hangs goes on when there is another one: twins of
// TestAnOwnerOfAPartitionThatHangsIsNotWaitedFor.
func TestSubscriptionsAndReportsDoNotWaitForAnOwnerThatHangs(t *testing.T) {
	const limit = attemptTimeout - 500*time.Millisecond
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		for i := range 3 {
			put(t, durable(c.Node(i)), Placed{})
		}
		settle()
		leader := indexOf(t, c, c.Node(0).Store().Leader())
		hung, partition := -1, 0
		for p, owner := range owners(t, c.Node(0)) {
			if at := indexOf(t, c, owner); at != leader {
				hung, partition = at, p
			}
		}
		if hung < 0 {
			t.Fatal("the leader owns everything")
		}
		n := c.Node((hung + 1) % 3)
		handling, proceed := make(chan int, 100), make(chan struct{})
		_, err := durable(n).Subscribe(t.Context(), func(_ context.Context, e Event[Placed]) error {
			if e.Value.N == 0 {
				return nil
			}
			handling <- e.Value.N
			<-proceed
			return nil
		}, Group("first"))
		if err != nil {
			t.Fatal(err)
		}
		key := 0
		for partitionOf(keyOf(key), "", 4) != partition {
			key++
		}
		put(t, durable(n), Placed{N: 1}, Key(keyOf(key)))
		<-handling
		host := c.Network.Host(c.Node(hung).Name())
		host.Freeze()
		close(proceed) // its report finds the owner hung
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if _, err := durable(n).Subscribe(ctx, new(recorder).handle, Group("second")); err != nil {
			t.Errorf("Subscribe, after %v: %v", time.Since(began), err)
		}
		t.Logf("subscribed after %v", time.Since(began))
		// The first group, whose report was on its way, is attached to the new owner.
		for !attachedTo(t, n, "first", partition, c.Node(hung).Name()) {
			if took := time.Since(began); took > limit {
				t.Errorf("the group with a report on its way waits for the owner that hangs after %v", took)
				break
			}
			<-time.After(50 * time.Millisecond)
		}
		host.Thaw()
	})
}

// attachedTo reports whether a group has a member at a partition, and its owner is another
// than one that hangs.
func attachedTo(t *testing.T, n *cluster.Node, group string, partition int, hung string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	info, err := durable(n).Inspect(ctx)
	if err != nil {
		return false
	}
	for _, p := range info.Partitions {
		if p.Partition != partition || p.Node == hung {
			continue
		}
		for _, g := range p.Groups {
			if g.Name == group && g.Members > 0 {
				return true
			}
		}
	}
	return false
}

func TestASubscriptionThatOthersCannotLearnOfIsRefused(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		subscribe(t, n, "first")
		settle()
		if err := n.Announce("thing", make([]byte, n.Room()-200)); err != nil {
			t.Fatal(err)
		}
		subscribe(t, n, "second") // fits
		long := strings.Repeat("x", 250)
		_, err := Of[Placed](n, long).Subscribe(t.Context(), new(recorder).handle)
		wantCode(t, "a name that does not fit", err, actor.ResourceExhausted)
		if err != nil && !strings.Contains(err.Error(), long) {
			t.Errorf("the error does not say which: %v", err)
		}
		if publishOne(t, n, long, 1); extensionOf(n).subs == nil || len(extensionOf(n).subs) != 2 {
			t.Error("it is subscribed all the same")
		}
		await(t, []*cluster.Node{c.Node(1)}, "second", "node-0")
		await(t, []*cluster.Node{c.Node(1)}, "first", "node-0")
		if err := n.Announce("thing", nil); err != nil {
			t.Fatal(err)
		}
		subscribe(t, n, long)
		await(t, []*cluster.Node{c.Node(1)}, long, "node-0")
	})
}
