package cluster_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestServeRefusesWhatIsTooMuchToBePublished(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n, b := c.Node(0), newBench()
		if err := n.Announce("thing", make([]byte, 1_044_000)); err != nil {
			t.Fatal(err)
		}
		var err error
		served := 0
		name := func(i int) string { return fmt.Sprintf("worker-%d-%s", i, strings.Repeat("x", 90)) }
		for ; err == nil && served < 100; served++ {
			err = n.Serve(b.worker(name(served)))
		}
		served--
		if actor.CodeOf(err) != actor.ResourceExhausted || served < 2 || !strings.Contains(err.Error(), name(served)) {
			t.Fatalf("Serve of %d: %v", served, err)
		}
		if got := len(n.Instances(name(served))); got != 0 {
			t.Errorf("%d instances of what was refused", got)
		}
		if _, err := actor.Ask(within(t, time.Minute), cluster.Service[Worker](n, name(served)), Where{}); actor.CodeOf(err) != actor.Unavailable {
			t.Errorf("it answers: %v", err)
		}
		if _, err := n.System().Lookup(name(served), 0); err == nil {
			t.Error("its actor runs")
		}
		// What comes later is heard.
		if err := n.Announce("thing", nil); err != nil {
			t.Fatal(err)
		}
		if err := n.Serve(b.worker(name(served))); err != nil {
			t.Fatal(err)
		}
		c.AwaitService(name(served), 1)
		c.AwaitService(name(0), 1)
	})
}

func TestServeRefusesMoreServicesThanOthersRead(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n, b := c.Node(0), newBench()
		overlong := strings.Repeat("n", 1025)
		if err := n.Serve(b.worker(overlong)); actor.CodeOf(err) != actor.InvalidArgument && actor.CodeOf(err) != actor.ResourceExhausted {
			t.Errorf("a name of %d bytes: %v", len(overlong), err)
		}
		if err := n.Announce(overlong, []byte("x")); err == nil {
			t.Error("an announcement of that name was taken")
		}
		b.serve(t, c, n) // is heard
	}, cluster.WithLogger(slog.New(slog.DiscardHandler)))
}
