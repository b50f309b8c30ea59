package badger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// writePattern is a pattern of writing. step returns what is written in the i-th place, and how many bytes
// are live then. All have large values, which Badger keeps in its value log, but for one.
type writePattern struct {
	name    string
	steps   int // for about 1 GB
	step    func(i int, value []byte) persistence.Transaction
	live    int64
	replica bool
}

const patternValue = 64 << 10

func onePut(key int, value []byte) persistence.Transaction {
	return persistence.Transaction{Then: []persistence.Change{{Key: fmt.Sprint("key-", key), Value: value}}, Unsynced: true}
}

func patterns() []writePattern {
	rewrite := func(i int, v []byte) persistence.Transaction { return onePut(i%20, v) }
	return []writePattern{
		{name: "20-keys", steps: 16000, live: 20 * patternValue, step: rewrite},
		{name: "1-key", steps: 16000, live: patternValue, step: func(i int, v []byte) persistence.Transaction { return onePut(0, v) }},
		{name: "500-keys-at-random", steps: 16000, live: 500 * patternValue, step: func(i int, v []byte) persistence.Transaction {
			return onePut(rand.IntN(500), v)
		}},
		{name: "small-beside", steps: 12000, live: 20*patternValue + 2000*300, step: func(i int, v []byte) persistence.Transaction {
			t := onePut(i%20, v)
			for n := range 20 {
				t.Then = append(t.Then, persistence.Change{Key: fmt.Sprint("small-", (20*i+n)%2000), Value: v[:100]})
			}
			return t
		}},
		{name: "large-and-small-in-turn", steps: 24000, live: 20 * patternValue, step: func(i int, v []byte) persistence.Transaction {
			if i/20%2 == 1 {
				v = v[:100]
			}
			return onePut(i%20, v)
		}},
		{name: "deletes", steps: 16000, live: 20 * patternValue, step: func(i int, v []byte) persistence.Transaction {
			t := onePut(i, v)
			t.Then = append(t.Then, persistence.Change{Key: fmt.Sprint("key-", i-20), Delete: true})
			return t
		}},
		{name: "moves-on", steps: 16000, live: 16000 / 200 * patternValue, step: func(i int, v []byte) persistence.Transaction {
			t := onePut(i/200, v)
			for n := range 20 {
				t.Then = append(t.Then, persistence.Change{Key: fmt.Sprint("key-", i/200, "-small-", (20*i+n)%4000), Value: v[:100]})
			}
			return t
		}},
		{name: "expiry", steps: 8000, live: 16 << 20, step: func(i int, v []byte) persistence.Transaction {
			t := onePut(i, v)
			t.Then[0].TTL = 100 * time.Millisecond
			return t
		}},
		{name: "values-in-tables", steps: 24000, live: 20 * 30_000, step: func(i int, v []byte) persistence.Transaction { return onePut(i%20, v[:30_000]) }},
		{name: "replica", steps: 12000, live: 20 * patternValue, step: rewrite, replica: true},
		{name: "replica-of-small", steps: 24000, live: 20 * 10_000, replica: true, step: func(i int, v []byte) persistence.Transaction { return onePut(i%20, v[:10_000]) }},
	}
}

// patternHistory is how many transactions are kept as history.
const patternHistory = 100

// patternResult is what has been measured of a pattern.
type patternResult struct {
	Took  time.Duration
	Most  int64   // bytes of the files
	Worst float64 // of the bytes that are allowed
	Files uint64  // of the value log that were collected
}

// runPattern writes steps of p, and measures the files all the while.
func runPattern(t testing.TB, p writePattern, steps int) (result patternResult) {
	dir := t.TempDir()
	config := Config{Dir: dir, HistoryCount: patternHistory, MinFree: 1}
	var commit func(int, persistence.Transaction) error
	var stats func() Stats
	if p.replica {
		r, err := OpenReplica(t.Context(), config)
		must(t, err)
		defer func() { must(t, r.Close()) }()
		dir, stats = r.current().config.Dir, r.Stats
		commit = func(i int, x persistence.Transaction) error {
			_, err := r.Apply([]Entry{{Index: uint64(i + 1), At: time.Now(), From: "a", Sequence: uint64(i + 1), Transactions: []persistence.Transaction{x}}})
			return err
		}
	} else {
		s, err := Open(t.Context(), config)
		must(t, err)
		defer func() { must(t, s.Close()) }()
		stats = s.Stats
		commit = func(_ int, x persistence.Transaction) error {
			_, err := s.Commit(t.Context(), x)
			return err
		}
	}
	value := make([]byte, patternValue)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	measure := func() {
		before := stats()
		size, err := sizeOf(dir)
		must(t, err)
		history := int64(before.Revision-before.History) * patternValue
		result.Most = max(result.Most, size)
		result.Worst = max(result.Worst, float64(size)/float64(3*(p.live+history)+64<<20))
	}
	for i := range steps {
		value[i%len(value)]++
		start := time.Now()
		must(t, commit(i, p.step(i, value)))
		result.Took += time.Since(start)
		if i%50 == 0 {
			measure()
		}
	}
	measure()
	result.Files = stats().Collections
	return result
}

// BenchmarkDiskUse measures the patterns: by how much the files come near to the most that
// is allowed ("of-allowed", of 3 times what is live and history, and 64 MiB), and, in turn
// with an older build of this test if TROUPE_OLD names that, how many times as fast they
// are written ("of-old"). TROUPE_STEPS is how many steps of each are done.
func BenchmarkDiskUse(b *testing.B) {
	if name := os.Getenv("TROUPE_PATTERN"); name != "" {
		for _, p := range patterns() {
			if p.name == name {
				steps := p.steps / 4
				if n, err := strconv.Atoi(os.Getenv("TROUPE_STEPS")); err == nil {
					steps = n
				}
				result := runPattern(b, p, steps)
				must(b, json.NewEncoder(os.NewFile(3, "result")).Encode(result))
			}
		}
		return
	}
	self, err := os.Executable()
	must(b, err)
	for _, p := range patterns() {
		b.Run(p.name, func(b *testing.B) {
			builds := []string{self}
			if old := os.Getenv("TROUPE_OLD"); old != "" {
				builds = append(builds, old)
			}
			var took [2][]time.Duration
			var worst [2]float64
			var most [2]int64
			for b.Loop() {
				for side, build := range builds {
					r := patternInChild(b, build, p.name)
					took[side] = append(took[side], r.Took)
					worst[side] = max(worst[side], r.Worst)
					most[side] = max(most[side], r.Most)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(worst[0], "of-allowed")
			b.ReportMetric(float64(most[0]>>20), "MiB")
			if len(builds) > 1 {
				slices.Sort(took[0])
				slices.Sort(took[1])
				b.ReportMetric(float64(took[1][len(took[1])/2])/float64(took[0][len(took[0])/2]), "of-old")
				b.ReportMetric(worst[1], "old-of-allowed")
				b.ReportMetric(float64(most[1]>>20), "old-MiB")
			}
		})
	}
}

func patternInChild(b *testing.B, build, name string) (r patternResult) {
	in, out, err := os.Pipe()
	must(b, err)
	defer in.Close()
	c := exec.CommandContext(b.Context(), build, "-test.run=^$", "-test.bench=^BenchmarkDiskUse$", "-test.benchtime=1x")
	c.Env = append(os.Environ(), "TROUPE_PATTERN="+name, "TROUPE_OLD=")
	c.ExtraFiles = []*os.File{out}
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	must(b, c.Start())
	must(b, out.Close())
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		b.Fatalf("%s: %v, %v, it said:\n%s", build, err, c.Wait(), &said)
	}
	must(b, c.Wait())
	return r
}
