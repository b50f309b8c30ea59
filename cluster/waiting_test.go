package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// wantsReason checks that a wait ended with ctx, and that the error says for what.
func wantsReason(t *testing.T, what string, err error, texts ...string) {
	t.Helper()
	if actor.CodeOf(err) != actor.DeadlineExceeded {
		t.Errorf("%s: %v, want DeadlineExceeded", what, err)
	}
	for _, text := range texts {
		if !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%s: %v, want it to say %q", what, err, text)
		}
	}
}

func TestWaitsSayForWhat(t *testing.T) {
	var log journal
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		log.take()
		for what, wait := range map[string]func(ctx context.Context) error{
			"a condition given to Await": func(ctx context.Context) error {
				return n.Await(ctx, func() bool { return len(n.Members()) > 1 })
			},
			`the service \"worker\" wait`: func(ctx context.Context) error {
				_, err := actor.Ask(ctx, cluster.Service[Worker](n, "worker", cluster.WaitForInstance()), Where{})
				return err
			},
		} {
			wantsReason(t, what, wait(within(t, time.Second)), "node-0 (serves nothing)")
			if said := log.take(); strings.Contains(said, what) {
				t.Errorf("after a second the log has %s", said)
			}
			wantsReason(t, what, wait(within(t, 10*time.Second)), "node-0 (serves nothing)")
			if said := log.take(); strings.Count(said, what) != 1 || !strings.Contains(said, "node-0 (serves nothing)") {
				t.Errorf("%s: the log has %s", what, said)
			}
		}
	}, cluster.WithLogger(log.logger(slog.LevelInfo)))
}

func TestWaitsForTheStoreSayForWhat(t *testing.T) {
	for _, patience := range []time.Duration{300 * time.Millisecond, 1600 * time.Millisecond, 2 * time.Second} {
		var log journal
		clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
			n := c.Node(0)
			for what, use := range map[string]func(ctx context.Context) error{
				"Session": func(ctx context.Context) error { _, err := n.Session(ctx); return err },
				"Get":     func(ctx context.Context) error { _, err := n.Store().Get(ctx, "k"); return err },
			} {
				err := use(within(t, patience))
				if code := actor.CodeOf(err); code != actor.DeadlineExceeded && code != actor.Unavailable || !strings.Contains(fmt.Sprint(err), "1 of the 3 nodes are there") {
					t.Errorf("%s for %v: %v", what, patience, err)
				}
			}
			<-time.After(3 * time.Second)
			if said := log.take(); strings.Count(said, "waits for a leader: 1 of the 3 nodes are there") != 1 {
				t.Errorf("the log has %s", said)
			}
		}, cluster.WithExpect(3), cluster.WithLogger(log.logger(slog.LevelWarn)))
	}
}

func TestTheFirstUseOfTheStoreWarnsOfNothing(t *testing.T) {
	var log journal
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		if _, err := c.Node(0).Session(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if said := log.take(); said != "" {
			t.Errorf("it logged %s", said)
		}
	}, cluster.WithLogger(log.logger(slog.LevelWarn)))
}

func TestJoinSaysWhichDiscoveryItWaitsFor(t *testing.T) {
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		end := make(chan struct{})
		defer close(end)
		hangs := func(context.Context) error { <-end; return nil }
		nothing := func(context.Context) error { return nil }
		odd := way{announce: hangs, withdraw: nothing, find: func(context.Context) ([]string, error) { return nil, nil }}
		_, err := cluster.Join(within(t, time.Second), cluster.WithName("late"), cluster.WithNetwork(c.Network.Host("late")),
			cluster.WithListen(c.Network.Host("late").IP().String()+":7420"), cluster.WithCredentials(derive(t, "a secret of the join tests", "test")),
			cluster.WithDiscovery(odd), cluster.WithEnvironment(func(string) string { return "" }),
			cluster.WithLogger(slog.New(slog.DiscardHandler)))
		wantsReason(t, "Join", err, `"odd"`, "announce")
	})
}

func TestLeaveSaysWhichFunctionItWaitsFor(t *testing.T) {
	var log journal
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		returns := make(chan struct{})
		n.OnLeave(func(context.Context) { <-returns })
		log.take()
		go func() { _ = n.Leave(context.Background()) }()
		synctest.Wait() // its context counts
		err := n.Leave(within(t, 3*time.Second))
		if text := fmt.Sprint(err); !strings.Contains(text, "given to OnLeave by") || !strings.Contains(text, "TestLeaveSaysWhichFunctionItWaitsFor") || !strings.Contains(text, "waiting_test.go:") {
			t.Errorf("Leave: %v", err)
		}
		if said := log.take(); strings.Count(said, "this node leaves, and waits: functions given to OnLeave by") != 1 {
			t.Errorf("the log has %s", said)
		}
		close(returns)
		<-n.Done()
	}, cluster.WithLogger(log.logger(slog.LevelInfo)))
}

func TestServeOfANameThatIsTakenSaysWhatToDo(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n, b := c.Node(0), newBench()
		if err := n.Serve(b.worker("worker")); err != nil {
			t.Fatal(err)
		}
		err := n.Serve(b.worker("worker"))
		if actor.CodeOf(err) != actor.AlreadyExists || strings.Contains(err.Error(), "WithName") || !strings.Contains(err.Error(), `"worker"`) {
			t.Errorf("%v", err)
		}
	})
}
