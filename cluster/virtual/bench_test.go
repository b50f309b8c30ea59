package virtual

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// BenchmarkCall compares a call to an active virtual actor with one to a service, on the
// same node and on another: each iteration does both.
func BenchmarkCall(b *testing.B) {
	c := clustertest.New(b, 2, cluster.WithLogger(slog.New(slog.DiscardHandler)))
	l := newLedger()
	core := newTestCore()
	for i := range 2 {
		extend(c.Node(i), core.member(c.Node(i).Name()).open)
	}
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
			var virtual, service time.Duration
			const batch = 1000
			for range b.N {
				service += timed(b, hall, batch)
				virtual += timed(b, room, batch)
			}
			b.ReportMetric(float64(virtual)/float64(b.N*batch), "ns/virtual")
			b.ReportMetric(float64(service)/float64(b.N*batch), "ns/service")
			b.ReportMetric(float64(virtual)/float64(service), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func timed(b *testing.B, ref actor.Ref[Room], calls int) time.Duration {
	began := time.Now()
	for range calls {
		if _, err := actor.Ask(context.Background(), ref, Add{}); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}
