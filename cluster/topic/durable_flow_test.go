package topic

import (
	"context"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// millionVar, in the environment, lets a million events pass, which takes a minute or two.
const millionVar = "TROUPE_MILLION"

func TestMemoryStaysFlatWhileManyEventsPass(t *testing.T) {
	const publishers, parts = 256, 5
	events := int64(100_000)
	switch {
	case os.Getenv(millionVar) != "":
		events = 1_000_000
	case testing.Short() || raceDetector:
		events = 10_000
	}
	c := clustertest.New(t, 1, cluster.WithStateDir(clustertest.TempDir(t)))
	orders := Of[Placed](c.Node(0), "orders", Durable(), Partitions(4), Retain(Limits{Bytes: 4 << 20}))
	var handled atomic.Int64
	through := make(chan struct{}, 1)
	for _, group := range []string{"billing", "audit"} {
		_, err := orders.Subscribe(t.Context(), func(context.Context, Event[Placed]) error {
			if n := handled.Add(1); n%(2*events/parts) == 0 {
				through <- struct{}{}
			}
			return nil
		}, Group(group), Window(256))
		if err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Repeat("a kilobyte", 100)
	var live, all []uint64 // bytes of the heap
	for part := range int64(parts) {
		var publishing sync.WaitGroup
		for p := range int64(publishers) {
			publishing.Go(func() {
				for n := p; n < events/parts; n += publishers {
					put(t, orders, Placed{text, int(part*events/parts + n)}, Key(keyOf(int(n%1000))))
				}
			})
		}
		publishing.Wait()
		<-through
		small, whole := heap()
		live, all = append(live, small), append(all, whole)
		t.Logf("after %d events, small objects have %d KiB of %d", (part+1)*events/parts, small>>10, whole>>10)
	}
	// 100,000 IDs are remembered; an event that stayed would take more than a kilobyte.
	most := live[0] + 16<<20 + 256*uint64(min(events, duplicateCount))
	if live[parts-1] > most {
		t.Errorf("small objects have grown from %d to %d KiB", live[0]>>10, live[parts-1]>>10)
	}
	// The tables of Badger come and go, and take some 300 MiB.
	if most := all[0] + 512<<20; all[parts-1] > most {
		t.Errorf("the heap has grown from %d to %d KiB", all[0]>>10, all[parts-1]>>10)
	}
	info, err := orders.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range info.Groups {
		if g.Lag != 0 || g.Redelivered != 0 || g.DeadLetters != 0 || g.Missed != 0 {
			t.Errorf("%+v", g)
		}
	}
	last := uint64(0)
	for _, p := range info.Partitions {
		last += p.Next - 1
	}
	if handled.Load() != 2*events || last != uint64(events) {
		t.Errorf("%d events are there, and were handled %d times; want %d, by each of two groups", last, handled.Load(), events)
	}
}

// heap returns how many bytes live objects of up to 32 KiB have, which events and all that
// is made of them are, and how many all of them have.
func heap() (small, all uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for _, class := range m.BySize {
		small += uint64(class.Size) * (class.Mallocs - class.Frees)
	}
	return small, m.HeapAlloc
}
