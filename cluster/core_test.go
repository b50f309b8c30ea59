package cluster_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

func TestNodesHaveOneStoreInCommonAndLeave(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		start := time.Now()
		for _, n := range c.Nodes() {
			if _, err := persistence.Put(t.Context(), n.Store(), n.Name(), []byte("here")); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s has written after %v", n.Name(), time.Since(start))
		}
		for _, n := range c.Nodes() {
			records, err := n.Store().List(t.Context(), persistence.Query{})
			if err != nil || len(records) != 3 {
				t.Errorf("%s lists %d records, %v", n.Name(), len(records), err)
			}
		}
		<-time.After(20 * time.Second) // the others become voters
		for _, n := range c.Nodes() {
			if got, want := n.Store().Leader(), c.Node(0).Store().Leader(); got != want || got == "" {
				t.Errorf("%s takes %q for the leader, node-0 takes %q", n.Name(), got, want)
			}
		}
		for _, n := range c.Nodes() {
			start = time.Now()
			if err := n.Leave(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("%s has left after %v", n.Name(), time.Since(start))
		}
	}, cluster.WithLogger(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))))
}
