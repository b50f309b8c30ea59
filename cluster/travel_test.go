package cluster_test

import (
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Baggage is of a protocol of its own: an interface cannot be decoded.
type (
	Airport struct{}
	Baggage struct {
		actor.Cast[Airport]
		Fault error
	}
	airport struct{}
)

func TestServeRefusesWhatCannotTravel(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		d := actor.Define("airport", func() *airport { return nil },
			actor.OnCast(func(*airport, *actor.Context, Baggage) error { return nil }))
		err := n.Serve(d)
		if actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), "Fault of cluster_test.Baggage") {
			t.Errorf("%v, want InvalidArgument that names the field", err)
		}
		if got := n.Instances("airport"); len(got) > 0 {
			t.Errorf("it is served by %v", got)
		}
		if _, err := n.System().Spawn(d); err != nil {
			t.Errorf("an actor of this node alone: %v", err)
		}
	})
}
