package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// A process writes to a store, in several ways at once, and says what was acknowledged.
// It is killed at a random moment, and the next one says what it finds.

const (
	crashWriters  = 6
	crashAccounts = 5
	crashTotal    = 1000
)

// crashRounds is how often the process is killed; TROUPE_CRASH_ROUNDS sets it.
func crashRounds() int {
	if n, err := strconv.Atoi(os.Getenv("TROUPE_CRASH_ROUNDS")); err == nil {
		return n
	}
	return 6
}

func TestKillLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	acknowledged := map[string]int{} // the latest number of each writer
	opened, writes := 0, 0
	rounds := crashRounds()
	for round := range rounds {
		c := startChild(t, "crash", dir, strconv.FormatUint(random.Uint64(), 10))
		found := map[string]int{}
		lines := random.IntN(600)
		ended := false
		for range lines {
			if !c.lines.Scan() {
				ended = true
				break
			}
			var kind, writer string
			var number int
			if _, err := fmt.Sscan(c.lines.Text(), &kind, &writer, &number); err != nil {
				t.Fatalf("round %d: line %q: %v", round, c.lines.Text(), err)
			}
			switch kind {
			case "found":
				found[writer] = number
			case "ready":
				opened++
				for writer, number := range acknowledged {
					if found[writer] < number {
						t.Fatalf("round %d (seed %d): %s is at %d, and %d was acknowledged", round, seed, writer, found[writer], number)
					}
				}
			case "done":
				acknowledged[writer] = max(acknowledged[writer], number)
				writes++
			}
		}
		if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		for c.lines.Scan() { // what it had said before it was killed
			var kind, writer string
			var number int
			if _, err := fmt.Sscan(c.lines.Text(), &kind, &writer, &number); err == nil && kind == "done" {
				acknowledged[writer] = max(acknowledged[writer], number)
				writes++
			}
		}
		_ = c.Wait()
		if ended {
			t.Fatalf("round %d (seed %d): the process ended by itself: %v", round, seed, c.ProcessState)
		}
	}
	if opened == 0 {
		t.Error("no process lived long enough to open the store")
	}
	t.Logf("%d kills; the store opened %d times and acknowledged %d transactions (seed %d)", rounds, opened, writes, seed)
}

// crashChild checks what is in the store, reports it, and writes until it is killed.
func crashChild(ctx context.Context, arguments []string) error {
	seed, err := strconv.ParseUint(arguments[1], 10, 64)
	if err != nil {
		return err
	}
	// Small sizes make files change all the time.
	s, err := Open(ctx, Config{Dir: arguments[0], MemTableSize: 1 << 20, MinFree: 1, HistoryCount: 300})
	if err != nil {
		return err
	}
	var say sync.Mutex
	report := func(kind, writer string, number int) {
		say.Lock()
		defer say.Unlock()
		fmt.Println(kind, writer, number)
	}
	if err := crashCheck(ctx, s, report); err != nil {
		return err
	}
	report("ready", "-", 0)
	var group sync.WaitGroup
	failures := make(chan error, crashWriters+1)
	for w := range crashWriters {
		group.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			failures <- crashWrite(ctx, s, fmt.Sprint("writer", w), random, report)
		})
	}
	group.Go(func() { failures <- crashTransfer(ctx, s, rand.New(rand.NewPCG(seed, 99))) })
	return <-failures
}

// crashWrite writes the same number under several keys, in one transaction.
func crashWrite(ctx context.Context, s *Store, name string, random *rand.Rand, report func(string, string, int)) error {
	r, err := s.Get(ctx, name+"/a")
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return err
	}
	number, _ := strconv.Atoi(string(r.Value))
	for {
		number++
		value := []byte(strconv.Itoa(number))
		t := persistence.Transaction{Unsynced: random.IntN(3) == 0}
		t.If = []persistence.Condition{{Key: name + "/a", Revision: r.Revision}}
		t.Then = []persistence.Change{{Key: name + "/a", Value: value}, {Key: name + "/b", Value: value}}
		if random.IntN(4) == 0 {
			t.Then = append(t.Then, persistence.Change{Key: name + "/large", Value: bytes.Repeat(append(value, ' '), 1+random.IntN(10_000))})
		}
		if random.IntN(3) == 0 {
			t.Then = append(t.Then, persistence.Change{Key: name + "/short", Value: value, TTL: time.Millisecond})
		}
		if random.IntN(5) == 0 {
			t.Then = append(t.Then, persistence.Change{Key: name + "/large", Delete: true})
			if len(t.Then) > 3 && t.Then[2].Key == name+"/large" {
				t.Then = t.Then[:2]
			}
		}
		if r.Revision, err = s.Commit(ctx, t); err != nil {
			return err
		}
		report("done", name, number)
	}
}

// crashTransfer moves money between accounts: the sum stays.
func crashTransfer(ctx context.Context, s *Store, random *rand.Rand) error {
	key := func(i int) string { return "account/" + strconv.Itoa(i) }
	for i := 0; ; i++ {
		from, to := random.IntN(crashAccounts), random.IntN(crashAccounts)
		if from == to {
			continue
		}
		a, err1 := s.Get(ctx, key(from))
		b, err2 := s.Get(ctx, key(to))
		var t persistence.Transaction
		if errors.Is(err1, persistence.ErrNotFound) || errors.Is(err2, persistence.ErrNotFound) {
			for i := range crashAccounts {
				t.If = append(t.If, persistence.Condition{Key: key(i)})
				t.Then = append(t.Then, persistence.Change{Key: key(i), Value: []byte(strconv.Itoa(crashTotal / crashAccounts))})
			}
		} else if err := errors.Join(err1, err2); err != nil {
			return err
		} else {
			x, _ := strconv.Atoi(string(a.Value))
			y, _ := strconv.Atoi(string(b.Value))
			t.If = []persistence.Condition{{Key: a.Key, Revision: a.Revision}, {Key: b.Key, Revision: b.Revision}}
			t.Then = []persistence.Change{{Key: a.Key, Value: []byte(strconv.Itoa(x - i%7))}, {Key: b.Key, Value: []byte(strconv.Itoa(y + i%7))}}
		}
		t.Unsynced = i%2 == 0
		if _, err := s.Commit(ctx, t); err != nil {
			return err
		}
	}
}

// crashCheck looks for half transactions and gaps.
func crashCheck(ctx context.Context, s *Store, report func(string, string, int)) error {
	for w := range crashWriters {
		name := fmt.Sprint("writer", w)
		a, err1 := s.Get(ctx, name+"/a")
		b, err2 := s.Get(ctx, name+"/b")
		if errors.Is(err1, persistence.ErrNotFound) && errors.Is(err2, persistence.ErrNotFound) {
			continue
		}
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if !bytes.Equal(a.Value, b.Value) || a.Revision != b.Revision {
			return fmt.Errorf("half a transaction of %s: %s at %d and %s at %d", name, a.Value, a.Revision, b.Value, b.Revision)
		}
		large, err := s.Get(ctx, name+"/large")
		if err == nil && len(bytes.TrimLeft(large.Value, "0123456789 ")) > 0 {
			return fmt.Errorf("%s/large has %d bytes that were not written", name, len(large.Value))
		} else if err != nil && !errors.Is(err, persistence.ErrNotFound) {
			return err
		}
		number, err := strconv.Atoi(string(a.Value))
		if err != nil {
			return err
		}
		report("found", name, number)
	}
	accounts, err := s.List(ctx, persistence.Query{Prefix: "account/"})
	if err != nil {
		return err
	}
	sum := 0
	for _, r := range accounts {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return err
		}
		sum += n
	}
	if len(accounts) > 0 && (sum != crashTotal || len(accounts) != crashAccounts) {
		return fmt.Errorf("%d on %d accounts", sum, len(accounts))
	}
	last := s.Stats().Revision
	next := s.Stats().History + 1
	if next > last {
		return nil
	}
	for c, err := range s.Watch(ctx, "", next-1) {
		if errors.Is(err, persistence.ErrHistoryGone) {
			break // it was trimmed just now
		} else if err != nil {
			return err
		}
		if c.Revision != next {
			return fmt.Errorf("the history goes from revision %d to %d", next-1, c.Revision)
		}
		if next++; next > last {
			break
		}
	}
	return nil
}
