package bench

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
)

var background = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nodes returns members of a new cluster, on loopback, each with its own folder, whose
// store they have founded together.
func nodes(b *testing.B, n int) (all []*cluster.Node) {
	dir := b.TempDir()
	for i := range n {
		name := fmt.Sprintf("node-%d", i)
		node, err := cluster.Join(background, cluster.WithName(name), cluster.WithStateDir(filepath.Join(dir, "state")),
			cluster.WithListen("127.0.0.1:0"), cluster.WithExpect(n), cluster.WithEnvironment(func(string) string { return "" }),
			cluster.WithLogger(slog.New(slog.DiscardHandler)))
		must(b, err)
		b.Cleanup(func() { must(b, node.Leave(background)) })
		all = append(all, node)
	}
	for _, node := range all {
		must(b, node.Await(background, func() bool { return len(node.Members()) == n }))
	}
	return all
}

// inTurns measures the sides one after the other, again and again, so that what else the
// machine does meets all of them, and returns the median of each.
func inTurns(b *testing.B, sides ...func()) []time.Duration {
	took := make([][]time.Duration, len(sides))
	for b.Loop() {
		for i, f := range sides {
			start := time.Now()
			f()
			took[i] = append(took[i], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op")
	medians := make([]time.Duration, len(sides))
	for i, t := range took {
		slices.Sort(t)
		medians[i] = t[len(t)/2]
	}
	return medians
}
