package eventlog

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// A million events go in and come out, to a group that keeps up and to one that begins
// when all are there; the heap does not grow with them.
func TestMillionEventsTakeNoMoreMemoryThanSome(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("it takes a while")
	}
	const events, together, publishers = 1_000_000, 100, 8
	p := openPartition(t, Config{Store: unsynced{diskStore(t)}})
	fast := newReader(t, p.Events, "fast")

	heaps := make([]uint64, 0, 8)
	measure := func(what string) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		small := uint64(0) // in objects of up to 32 KiB: what is larger is Badger's, and comes and goes
		for _, class := range m.BySize {
			small += uint64(class.Size) * (class.Mallocs - class.Frees)
		}
		heaps = append(heaps, small)
		t.Logf("%s: small objects have %d KiB of %d", what, small>>10, m.HeapAlloc>>10)
	}
	for part := range 5 {
		var wg sync.WaitGroup
		for publisher := range publishers {
			wg.Go(func() {
				for i := publisher; i < events/5/together; i += publishers {
					batch := numbered(part*events/5+i*together, together)
					for j := range batch {
						batch[j].Key = fmt.Sprint("customer-", (i*j)%5000)
					}
					if _, err := p.Events.Append(context.Background(), batch); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		fast.wait(events / 5 * int64(part+1))
		measure(fmt.Sprintf("%d events are through", (part+1)*events/5))
	}
	slow := newReader(t, p.Events, "slow")
	slow.wait(events / 2)
	measure("half of them again")
	slow.wait(events)
	measure("all of them again")
	for _, info := range p.Events.Inspect().Groups {
		if info.Lag != 0 || info.Redelivered != 0 || info.Position != events+1 {
			t.Errorf("%+v", info)
		}
	}
	const some = 24 << 20 // a million entries are 250 MiB
	for _, h := range heaps[1:] {
		if h > heaps[0]+some {
			t.Errorf("small objects have grown from %d to %d KiB", heaps[0]>>10, h>>10)
		}
	}
}

// unsynced does not wait for the disk, which is not what is looked at.
type unsynced struct{ persistence.Store }

func (s unsynced) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	t.Unsynced = true
	return s.Store.Commit(ctx, t)
}

// reader acknowledges what it gets.
type reader struct {
	count atomic.Int64
	want  atomic.Int64
	done  chan struct{}
}

func newReader(t testing.TB, l *Log, group string) *reader {
	r := &reader{done: make(chan struct{}, 1)}
	_, err := l.Join(context.Background(), ConsumerConfig{Group: group, Window: 1000, Deliver: func(c *Consumer, deliveries []Delivery) {
		tags := make([]uint64, len(deliveries))
		for i, d := range deliveries {
			tags[i] = d.Tag
		}
		if err := c.Ack(tags...); err != nil {
			t.Error(err)
		}
		r.count.Add(int64(len(tags)))
		r.check()
	}})
	must(t, err)
	return r
}

func (r *reader) check() {
	if want := r.want.Load(); want > 0 && r.count.Load() >= want && r.want.CompareAndSwap(want, 0) {
		r.done <- struct{}{}
	}
}

// wait returns when that many events have come.
func (r *reader) wait(events int64) {
	r.want.Store(events)
	r.check()
	<-r.done
}
