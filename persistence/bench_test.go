package persistence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// The benchmarks measure the store against bare Badger with the same options, in
// alternation, and report how many times as fast it is ("of-bare"). Times alone are
// noise on shared machines.

// compare runs both in turn, as often as the benchmark asks for.
func compare(b *testing.B, ops int, ours, bare func()) {
	b.Helper()
	var ratios []float64
	var total [2]time.Duration
	measure := func(f func()) time.Duration {
		start := time.Now()
		f()
		return time.Since(start)
	}
	for b.Loop() {
		ourTime, bareTime := measure(ours), measure(bare)
		total[0] += ourTime
		total[1] += bareTime
		ratios = append(ratios, float64(bareTime)/float64(ourTime))
	}
	slices.Sort(ratios)
	n := float64(ops * len(ratios))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(total[0].Nanoseconds())/n, "ours-ns")
	b.ReportMetric(float64(total[1].Nanoseconds())/n, "bare-ns")
	b.ReportMetric(ratios[len(ratios)/2], "of-bare")
}

// bareBadger is Badger as an application uses it: with its own timestamps.
func bareBadger(b *testing.B) *badger.DB {
	o := Config{Dir: b.TempDir()}.WithDefaults().badgerOptions()
	o.DetectConflicts = true
	o.Logger = nil
	db, err := badger.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { must(b, db.Close()) })
	return db
}

func benchStore(b *testing.B) *Badger {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { must(b, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func benchKey(n int) string { return fmt.Sprintf("key-%08d", n) }

func BenchmarkRead(b *testing.B) {
	const records, reads = 100_000, 20_000
	for _, size := range []int{100, 1000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			n := min(records, 100<<20/size)
			s, bare := benchStore(b), bareBadger(b)
			value := make([]byte, size)
			for from := 0; from < n; from += 1000 {
				var t Transaction
				err := bare.Update(func(txn *badger.Txn) error {
					for i := from; i < min(from+1000, n); i++ {
						if err := txn.Set([]byte(benchKey(i)), value); err != nil {
							return err
						}
					}
					return nil
				})
				must(b, err)
				for i := from; i < min(from+1000, n); i++ {
					t.Then = append(t.Then, Change{Key: benchKey(i), Value: value})
					if len(t.Then)*(size+300) > s.limits.transaction-size-500 || i == min(from+1000, n)-1 {
						t.Unsynced = true
						_, err := s.Commit(b.Context(), t)
						must(b, err)
						t.Then = nil
					}
				}
			}
			keys := make([]string, reads)
			for i := range keys {
				keys[i] = benchKey(rand.IntN(n))
			}
			compare(b, reads, func() {
				for _, k := range keys {
					_, err := s.Get(context.Background(), k)
					must(b, err)
				}
			}, func() {
				for _, k := range keys {
					err := bare.View(func(txn *badger.Txn) error {
						item, err := txn.Get([]byte(k))
						if err != nil {
							return err
						}
						_, err = item.ValueCopy(nil)
						return err
					})
					must(b, err)
				}
			})
		})
	}
}

func BenchmarkUnsyncedWrite(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d-callers", callers), func(b *testing.B) {
			const each = 20_000
			s, bare := benchStore(b), bareBadger(b)
			value := make([]byte, 100)
			var next atomic.Int64
			compare(b, each, func() {
				parallel(callers, each, func() error {
					_, err := Put(context.Background(), s, benchKey(int(next.Add(1))), value, Unsynced())
					return err
				})
			}, func() {
				parallel(callers, each, func() error {
					return bare.Update(func(txn *badger.Txn) error {
						return txn.Set([]byte(benchKey(int(next.Add(1)))), value)
					})
				})
			})
		})
	}
}

func BenchmarkSyncedWrite(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d-callers", callers), func(b *testing.B) {
			each := 20 * callers
			s, bare := benchStore(b), bareBadger(b)
			value := make([]byte, 100)
			group := &bareGroup{db: bare}
			var next atomic.Int64
			compare(b, each, func() {
				parallel(callers, each, func() error {
					_, err := Put(context.Background(), s, benchKey(int(next.Add(1))), value)
					return err
				})
			}, func() {
				parallel(callers, each, func() error { return group.put(benchKey(int(next.Add(1))), value) })
			})
			st := s.Stats()
			b.ReportMetric(float64(st.Transactions)/float64(st.Syncs), "ours-per-sync")
			b.ReportMetric(float64(group.writes)/float64(group.syncs), "bare-per-sync")
		})
	}
}

func parallel(callers, ops int, f func() error) {
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range ops / callers {
				if err := f(); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
}

// bareGroup commits what gathers during a sync in one transaction and syncs once: the
// same batching, on Badger alone.
type bareGroup struct {
	db            *badger.DB
	mu            sync.Mutex
	busy          bool
	previous      int
	took          time.Duration
	syncs, writes int
	queue         []*bareWrite
}

type bareWrite struct {
	key   string
	value []byte
	turn  chan bool // true: lead
	err   error
}

func (g *bareGroup) put(key string, value []byte) error {
	w := &bareWrite{key: key, value: value, turn: make(chan bool, 1)}
	g.mu.Lock()
	g.queue = append(g.queue, w)
	lead := !g.busy
	g.busy = true
	g.mu.Unlock()
	if !lead && !<-w.turn {
		return w.err
	}
	g.mu.Lock()
	start := time.Now()
	for len(g.queue) < g.previous && time.Since(start) < g.took/8 {
		g.mu.Unlock()
		runtime.Gosched()
		g.mu.Lock()
	}
	group := g.queue
	g.previous = len(group)
	start = time.Now()
	g.syncs++
	g.writes += len(group)
	g.queue = nil
	g.mu.Unlock()
	err := g.db.Update(func(txn *badger.Txn) error {
		for _, w := range group {
			if err := txn.Set([]byte(w.key), w.value); err != nil {
				return err
			}
		}
		return nil
	})
	err = errors.Join(err, g.db.Sync())
	g.took = time.Since(start)
	for _, other := range group {
		if other != w {
			other.err = err
			other.turn <- false
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = len(g.queue) > 0
	if g.busy {
		g.queue[0].turn <- true
	}
	return err
}
