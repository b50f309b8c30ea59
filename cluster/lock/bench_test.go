package lock

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

// BenchmarkUncontended takes a free lock and gives it back, and in turn commits two
// transactions to the same store: that of three nodes which keep their logs on disk, at
// the one that was there first, and at another. of-bare is how many times as long the
// lock takes.
func BenchmarkUncontended(b *testing.B) {
	c := clustertest.New(b, 3, cluster.WithStateDir(b.TempDir()), cluster.WithExpect(3),
		cluster.WithLogger(slog.New(slog.DiscardHandler)))
	for i := range 2 {
		n := c.Node(i)
		s, err := n.Session(b.Context())
		must(b, err)
		b.Run(n.Name(), func(b *testing.B) { compare(b, node{n}, s.Store()) })
	}
}

func compare(b *testing.B, h host, store persistence.Store) {
	ctx := b.Context()
	var took [2][]time.Duration
	for b.Loop() {
		for side, f := range []func(){
			func() {
				l, err := acquire(ctx, h, "x", nil, false)
				must(b, err)
				must(b, l.Release(ctx))
			},
			func() {
				_, err := persistence.Put(ctx, store, "bare", make([]byte, 100))
				must(b, err)
				_, err = persistence.Delete(ctx, store, "bare")
				must(b, err)
			},
		} {
			start := time.Now()
			f()
			took[side] = append(took[side], time.Since(start))
		}
	}
	median := func(side int) float64 {
		slices.Sort(took[side])
		return float64(took[side][len(took[side])/2])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(0), "lock-ns")
	b.ReportMetric(median(1), "bare-ns")
	b.ReportMetric(median(0)/median(1), "of-bare")
}
