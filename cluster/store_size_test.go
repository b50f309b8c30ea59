package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

func TestTheStoreTakesTheSameSizesOnEveryNodeWhateverMessagesMayHave(t *testing.T) {
	for name, options := range map[string][]cluster.Option{
		"by default":          nil,
		"with small messages": {cluster.WithMaxMessage(16 << 10)},
	} {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				if _, err := persistence.Put(t.Context(), c.Node(0).Store(), "first", nil); err != nil {
					t.Fatal(err)
				}
				<-time.After(settled)
				largest := make([]byte, 1<<20)
				for _, n := range c.Nodes() {
					began := time.Now()
					if _, err := persistence.Put(t.Context(), n.Store(), "by "+n.Name(), largest); err != nil {
						t.Errorf("%s cannot write 1 MiB: %v", n.Name(), err)
					}
					for _, size := range []int{2 << 20, 3 << 20, 8 << 20} {
						_, err := persistence.Put(t.Context(), n.Store(), "too large", make([]byte, size))
						if !errors.Is(err, persistence.ErrInvalid) || actor.CodeOf(err) != actor.InvalidArgument {
							t.Errorf("%s writes %d bytes: %v, want ErrInvalid", n.Name(), size, err)
						}
					}
					if took := time.Since(began); took > time.Second/4 {
						t.Errorf("%s: it took %v", n.Name(), took)
					}
				}
				for _, n := range c.Nodes() {
					records, err := n.Store().List(t.Context(), persistence.Query{Prefix: "by "})
					if err != nil || len(records) != 3 || len(records[2].Value) != len(largest) {
						t.Errorf("%s finds %d records, %v; want 3", n.Name(), len(records), err)
					}
				}
			}, options...)
		})
	}
}
