package eventlog

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// BenchmarkAppend has callers append an event each, again and again, and, in turn, commit
// as many bytes to the store itself. It reports how many times as fast the log is, by
// medians, and how many events share a commit.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64} {
		for _, size := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%d-callers-%d-bytes", callers, size), func(b *testing.B) {
				ops := 100 * callers
				ours := &faulty{Store: diskStore(b)} // it counts
				p := openPartition(b, Config{Store: ours})
				bare := diskStore(b)
				payload := make([]byte, size)
				var next atomic.Int64
				commits := ours.count("Commit")
				var took [2][]time.Duration
				for b.Loop() {
					took[0] = append(took[0], parallel(b, callers, ops, func() error {
						_, err := p.Events.Append(context.Background(), []Event{{ID: fmt.Sprint(next.Add(1)), Payload: payload}})
						return err
					}))
					took[1] = append(took[1], parallel(b, callers, ops, func() error {
						_, err := persistence.Put(context.Background(), bare, fmt.Sprintf("events/%016x", next.Add(1)), payload)
						return err
					}))
				}
				median := func(d []time.Duration) float64 {
					slices.Sort(d)
					return float64(d[len(d)/2]) / float64(ops)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(took[0]), "ours-ns")
				b.ReportMetric(median(took[1]), "bare-ns")
				b.ReportMetric(median(took[1])/median(took[0]), "of-bare")
				b.ReportMetric(float64(ops*len(took[0]))/float64(ours.count("Commit")-commits), "events/commit")
			})
		}
	}
}

// parallel has f called so many times, and returns how long that takes.
func parallel(b *testing.B, callers, ops int, f func() error) time.Duration {
	begin := time.Now()
	var started atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for started.Add(1) <= int64(ops) {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// BenchmarkConsume reports how many events per second one group is done with, of those
// that are in the store.
func BenchmarkConsume(b *testing.B) {
	const events, together = 100_000, 500
	p := openPartition(b, Config{Store: unsynced{diskStore(b)}})
	for i := range events / together {
		appendAll(b, p, numbered(i*together, together)...)
	}
	round := 0
	for b.Loop() {
		round++
		newReader(b, p.Events, fmt.Sprint(round)).wait(events)
	}
	b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
