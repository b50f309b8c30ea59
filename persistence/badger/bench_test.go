package badger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// The benchmarks measure the store and bare Badger with the same options in turn, and
// report how many times as fast the store is ("of-bare"). Times alone are noise on
// shared machines. docs/performance.md says what the bare side does.

// compare runs both in turn, as often as the benchmark asks for, and reports the medians.
func compare(b *testing.B, ops int, ours, bare func()) {
	b.Helper()
	var took [2][]time.Duration
	for b.Loop() {
		for side, f := range []func(){ours, bare} {
			start := time.Now()
			f()
			took[side] = append(took[side], time.Since(start))
		}
	}
	median := func(side int) float64 {
		slices.Sort(took[side])
		return float64(took[side][len(took[side])/2]) / float64(ops)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(0), "ours-ns")
	b.ReportMetric(median(1), "bare-ns")
	b.ReportMetric(median(1)/median(0), "of-bare")
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

func benchStore(b *testing.B) *Store {
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

// fill writes the same records to both.
func fill(b *testing.B, s *Store, bare *badger.DB, records, size int) {
	b.Helper()
	value := make([]byte, size)
	together := max(1, s.limits.transaction/2/(size+changeCost))
	for from := 0; from < records; from += together {
		t := persistence.Transaction{Unsynced: true}
		for i := from; i < min(from+together, records); i++ {
			t.Then = append(t.Then, persistence.Change{Key: benchKey(i), Value: value})
		}
		_, err := s.Commit(b.Context(), t)
		must(b, err)
		must(b, bare.Update(func(txn *badger.Txn) error {
			for _, c := range t.Then {
				if err := txn.Set([]byte(c.Key), value); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func BenchmarkRead(b *testing.B) {
	const reads = 20_000
	for _, size := range []int{100, 1000, 100_000} {
		b.Run(fmt.Sprint(size, "-bytes"), func(b *testing.B) {
			records := min(100_000, 100<<20/size)
			s, bare := benchStore(b), bareBadger(b)
			fill(b, s, bare, records, size)
			keys := make([]string, reads)
			for i := range keys {
				keys[i] = benchKey(rand.IntN(records))
			}
			compare(b, reads, func() {
				for _, k := range keys {
					_, err := s.Get(context.Background(), k)
					must(b, err)
				}
			}, func() {
				for _, k := range keys {
					must(b, bare.View(func(txn *badger.Txn) error {
						item, err := txn.Get([]byte(k))
						if err != nil {
							return err
						}
						_, err = item.ValueCopy(nil)
						return err
					}))
				}
			})
		})
	}
}

func BenchmarkList(b *testing.B) {
	const records, page = 100_000, 1000
	s, bare := benchStore(b), bareBadger(b)
	fill(b, s, bare, records, 100)
	compare(b, records, func() {
		q := persistence.Query{Limit: page}
		for range records / page {
			list, err := s.List(context.Background(), q)
			must(b, err)
			q.After = list[page-1].Key
		}
	}, func() {
		after := ""
		for range records / page {
			must(b, bare.View(func(txn *badger.Txn) error {
				it := txn.NewIterator(badger.IteratorOptions{})
				defer it.Close()
				it.Seek([]byte(after + "\x00"))
				for range page {
					if _, err := it.Item().ValueCopy(nil); err != nil {
						return err
					}
					after = string(it.Item().Key())
					it.Next()
				}
				return nil
			}))
		}
	})
}

func BenchmarkUnsyncedWrite(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d-callers", callers), func(b *testing.B) {
			const each = 20_000
			s, bare := benchStore(b), bareBadger(b)
			value := make([]byte, 100)
			var next atomic.Int64
			compare(b, each, func() {
				parallel(b, callers, each, func() error {
					_, err := persistence.Put(context.Background(), s, benchKey(int(next.Add(1))), value, persistence.Unsynced())
					return err
				})
			}, func() {
				parallel(b, callers, each, func() error {
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
			each := 50 * callers
			s, bare := benchStore(b), bareBadger(b)
			value := make([]byte, 100)
			group := &bareGroup{db: bare}
			var next atomic.Int64
			compare(b, each, func() {
				parallel(b, callers, each, func() error {
					_, err := persistence.Put(context.Background(), s, benchKey(int(next.Add(1))), value)
					return err
				})
			}, func() {
				parallel(b, callers, each, func() error { return group.put(benchKey(int(next.Add(1))), value) })
			})
			st := s.Stats()
			b.ReportMetric(float64(st.Transactions)/float64(st.Syncs), "ours-per-sync")
			b.ReportMetric(float64(group.writes)/float64(group.syncs), "bare-per-sync")
		})
	}
}

// parallel has f called so many times, by callers that each come again when they are done.
func parallel(b *testing.B, callers, ops int, f func() error) {
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
}

// bareGroup commits what gathers during a sync in one transaction and syncs once: the
// batching of the store, on Badger alone.
type bareGroup struct {
	db            *badger.DB
	mu            sync.Mutex
	busy          bool
	full          chan struct{}
	expected      int
	synced        time.Duration
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
	if g.full != nil && len(g.queue) >= g.expected {
		close(g.full)
		g.full = nil
	}
	lead := !g.busy
	g.busy = true
	g.mu.Unlock()
	if !lead && !<-w.turn {
		return w.err
	}
	g.mu.Lock()
	g.gather()
	group := g.queue
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
	start := time.Now()
	err = errors.Join(err, g.db.Sync())
	g.synced = time.Since(start)
	for _, other := range group {
		if other != w {
			other.err = err
			other.turn <- false
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expected = len(group) + len(g.queue)
	g.busy = len(g.queue) > 0
	if g.busy {
		g.queue[0].turn <- true
	}
	return err
}

// gather waits as the store's does.
func (g *bareGroup) gather() {
	if len(g.queue) >= g.expected {
		return
	}
	full := make(chan struct{})
	g.full = full
	g.mu.Unlock()
	late := time.NewTimer(g.synced / 2)
	select {
	case <-full:
	case <-late.C:
	}
	late.Stop()
	g.mu.Lock()
	g.full = nil
}
