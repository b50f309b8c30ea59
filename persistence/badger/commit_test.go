package badger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/settings"
)

// occupy has a group of commits wait until the returned function is called.
func occupy(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		_, err := s.submit(context.Background(), false, func(*batch) (persistence.Revision, error) {
			close(entered)
			<-leave
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-entered
	return func() {
		close(leave)
		<-left
	}
}

// waiting waits until so many commits are queued.
func waiting(s *Store, n int) {
	for {
		s.commits.mu.Lock()
		queued := len(s.commits.queue)
		s.commits.mu.Unlock()
		if queued == n {
			return
		}
	}
}

func TestCommitsShareASync(t *testing.T) {
	const callers = 64
	s := openStore(t, Config{Dir: t.TempDir()})
	release := occupy(t, s)
	before := s.Stats()
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			if _, err := persistence.Put(t.Context(), s, fmt.Sprint(i), nil); err != nil {
				t.Error(err)
			}
		})
	}
	waiting(s, callers)
	release()
	group.Wait()
	after := s.Stats()
	if n := after.Syncs - before.Syncs; n != 1 || after.Transactions-before.Transactions != callers {
		t.Errorf("%d transactions took %d syncs, want one", after.Transactions-before.Transactions, n)
	}
}

func TestTransactionsOfAGroupSeeEachOther(t *testing.T) {
	const callers = 32
	s := openStore(t, Config{})
	r := put(t, s, "a", "0")
	release := occupy(t, s)
	var group sync.WaitGroup
	outcomes := make(chan error, callers)
	for range callers {
		group.Go(func() {
			_, err := persistence.CompareAndSwap(t.Context(), s, "a", r, nil)
			outcomes <- err
		})
	}
	waiting(s, callers)
	release()
	group.Wait()
	won := 0
	for range callers {
		switch err := <-outcomes; {
		case err == nil:
			won++
		case !errors.Is(err, persistence.ErrConflict):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d swaps in one group succeed, want one", won, callers)
	}
	if st := s.Stats(); st.Conflicts != callers-1 {
		t.Errorf("Stats counts %d conflicts", st.Conflicts)
	}
}

func TestCommitThatIsGivenUpInTimeDoesNotHappen(t *testing.T) {
	s := openStore(t, Config{})
	release := occupy(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error, 1)
	go func() {
		_, err := persistence.Put(ctx, s, "a", nil)
		outcome <- err
	}()
	waiting(s, 1)
	cancel()
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Errorf("Put that was given up: %v", err)
	}
	release()
	wantNone(t, s, "a")
	put(t, s, "b", "")
}

func TestOversizedTransactionIsInvalid(t *testing.T) {
	for _, test := range []struct {
		config Config
		size   int
	}{
		{Config{MemTableSize: 1 << 20}, 1 << 17},
		{Config{MemTableSize: 1 << 20, Dir: t.TempDir()}, 1 << 20}, // goes to the value log
	} {
		s := openStore(t, test.config)
		if _, err := persistence.Put(t.Context(), s, "a", make([]byte, test.size)); !errors.Is(err, persistence.ErrInvalid) {
			t.Errorf("Put of %d bytes into a store with %+v: %v, want ErrInvalid", test.size, test.config, err)
		}
		many := persistence.Transaction{}
		for i := range 513 {
			many.Then = append(many.Then, persistence.Change{Key: fmt.Sprint(i)})
		}
		if _, err := s.Commit(t.Context(), many); !errors.Is(err, persistence.ErrInvalid) {
			t.Errorf("Commit with %d changes: %v, want ErrInvalid", len(many.Then), err)
		}
		if latest, err := persistence.Latest(t.Context(), s); latest != 0 || err != nil {
			t.Errorf("revision %d, %v", latest, err)
		}
	}
}

// TestTransactionsAtTheLimitFit has the worst that limits let through: Badger would
// refuse them, after a part of them was staged.
func TestTransactionsAtTheLimitFit(t *testing.T) {
	for _, c := range []Config{{MemTableSize: 1 << 20}, {MemTableSize: 1 << 20, Dir: t.TempDir(), MinFree: 1}, {}} {
		s := openStore(t, c)
		limit := s.limits.transaction
		for _, size := range []struct{ key, value int }{{1, 0}, {100, 0}, {1, 100}, {persistence.MaxKeySize, 0}, {1000, 1000}, {1, limit - changeCost - 3}, {1, 8 * (limit - changeCost - 3)}} {
			value := size.value
			if value >= s.limits.large {
				value /= 8
			}
			cost := changeCost + 3*size.key + value
			for _, ttl := range []int{0, 1, 0} { // also over records that expire
				var tx persistence.Transaction
				for i := range limit / cost {
					key := fmt.Sprintf("%0*d", size.key, i)
					tx.Then = append(tx.Then, persistence.Change{Key: key[len(key)-size.key:], Value: make([]byte, size.value), TTL: time.Duration(ttl) * time.Hour})
					if size.key == 1 && i == 9 {
						break
					}
				}
				if _, err := s.Commit(t.Context(), tx); err != nil {
					t.Errorf("%d changes with keys of %d and values of %d bytes: %v", len(tx.Then), size.key, size.value, err)
				}
			}
		}
		put(t, s, "still", "works")
	}
}

func TestMetadataOfTheLargestSizeIsKept(t *testing.T) {
	s := openStore(t, Config{MemTableSize: 1 << 20})
	large := strings.Repeat("x", persistence.MaxMetadataSize-100)
	put(t, s, "a", strings.Repeat("y", 80_000), persistence.Metadata(map[string]string{"k": large}))
	r, err := s.Get(t.Context(), "a")
	if err != nil || r.Metadata["k"] != large {
		t.Errorf("metadata of %d bytes, %v", len(r.Metadata["k"]), err)
	}
}

// TestValuesOfAnySizeFitInMemory has those around every limit of Badger's.
func TestValuesOfAnySizeFitInMemory(t *testing.T) {
	for _, size := range []settings.Size{1 << 20, 2 << 20, 5 << 20, 16 << 20} {
		s := openStore(t, Config{MemTableSize: size})
		largest := s.limits.transaction - changeCost - 3
		for _, length := range []int{0, 1, valueThreshold, s.limits.piece, 2 * s.limits.piece, int(s.config.largestInMemory()), largest} {
			for _, n := range []int{length - 1, length, length + 1} {
				value := strings.Repeat("v", min(max(n, 0), largest))
				put(t, s, "a", value)
				wantValue(t, s, "a", value)
			}
		}
	}
}

func TestLargeValuesInMemoryLeaveNothingBehind(t *testing.T) {
	s := openStore(t, Config{})
	large, smaller := strings.Repeat("x", 1_800_000), strings.Repeat("y", 700_000)
	for _, value := range []string{large, smaller, "z", large, "", smaller} {
		put(t, s, "a", value)
		wantValue(t, s, "a", value)
		put(t, s, "b", value)
		_, err := persistence.Delete(t.Context(), s, "b")
		must(t, err)
		wantNone(t, s, "b")
	}
	txn := s.db.NewTransactionAt(s.visible.Load(), false)
	defer txn.Discard()
	for n := range 5 {
		for _, key := range []string{"a", "b"} {
			item, err := find(txn, pieceKey(n, key))
			must(t, err)
			if want := key == "a" && n < 2; (item != nil) != want {
				t.Errorf("piece %d of %q is there: %t, want %t", n, key, item != nil, want)
			}
		}
	}
}
