package virtual

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// BenchmarkCall compares a call to an active virtual actor with one to a service, on the
// same node and on another: each iteration does both, and the medians count. The store is
// the replicated one: before each message, a real session is looked at.
func BenchmarkCall(b *testing.B) {
	c := clustertest.New(b, 2, cluster.WithLogger(slog.New(slog.DiscardHandler)))
	l := newLedger()
	if err := Serve(c.Node(0), l.definition("room")); err != nil {
		b.Fatal(err)
	}
	if err := c.Node(0).Serve(l.definition("hall")); err != nil {
		b.Fatal(err)
	}
	c.AwaitService("hall", 1)
	for name, caller := range map[string]*cluster.Node{"local": c.Node(0), "remote": c.Node(1)} {
		b.Run(name, func(b *testing.B) {
			room, hall := Ref[Room](caller, "room", "lobby"), cluster.Service[Room](caller, "hall")
			if _, err := actor.Ask(context.Background(), room, Add{}); err != nil {
				b.Fatal(err)
			}
			var virtual, service []float64
			for range b.N {
				service = append(service, timed(b, hall))
				virtual = append(virtual, timed(b, room))
			}
			b.ReportMetric(median(virtual), "ns/virtual")
			b.ReportMetric(median(service), "ns/service")
			b.ReportMetric(median(virtual)/median(service), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// timed returns what a call takes, in ns: the mean of some.
func timed(b *testing.B, ref actor.Ref[Room]) float64 {
	const calls = 200
	began := time.Now()
	for range calls {
		if _, err := actor.Ask(context.Background(), ref, Add{}); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(began)) / calls
}

func median(all []float64) float64 { return slices.Sorted(slices.Values(all))[len(all)/2] }
