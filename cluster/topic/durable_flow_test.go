package topic

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestMemoryStaysFlatWhileManyEventsPass(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it takes long")
	}
	const publishers, warmUp, events = 64, 20_000, 100_000
	c := clustertest.New(t, 1, cluster.WithStateDir(fastDir(t)))
	orders := Of[Placed](c.Node(0), "orders", Durable(), Partitions(4), Retain(Limits{Count: 5000}))
	var handled atomic.Int64
	all := make(chan struct{})
	total := atomic.Int64{}
	total.Store(warmUp)
	for _, group := range []string{"billing", "audit"} {
		_, err := orders.Subscribe(t.Context(), func(context.Context, Event[Placed]) error {
			if handled.Add(1) == 2*total.Load() {
				all <- struct{}{}
			}
			return nil
		}, Group(group), Window(256))
		if err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("%0200d", 1)
	var number atomic.Int64
	pass := func(until int64) uint64 {
		var publishing sync.WaitGroup
		for range publishers {
			publishing.Go(func() {
				for n := number.Add(1); n <= until; n = number.Add(1) {
					put(t, orders, Placed{text, int(n)}, Key(keyOf(int(n%1000))))
				}
			})
		}
		publishing.Wait()
		<-all
		number.Store(until)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapObjects // bytes are Badger's, for most: tables that come and go
	}
	before := pass(warmUp)
	total.Store(events)
	after := pass(events)
	t.Logf("the heap has %d objects after %d events, and %d after %d", before, warmUp, after, events)
	if after > before+(events-warmUp)/2 { // IDs are remembered, so that it is not 0
		t.Errorf("the heap grew from %d to %d objects", before, after)
	}
	if info, err := orders.Inspect(t.Context()); err != nil || info.Groups[0].Lag != 0 || info.Groups[0].Redelivered != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}
