package badger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// closeWithin fails if f, which closes something, does not return.
func closeWithin(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		t.Fatal("closing does not end")
		return nil
	}
}

func TestCloseEndsWithoutTheFolder(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(Config) (put func(i int) error, end func() error, err error){
		"store": func(c Config) (func(int) error, func() error, error) {
			s, err := Open(t.Context(), c)
			return func(i int) error {
				_, err := s.Commit(t.Context(), onePut(i, make([]byte, 1000)))
				return err
			}, s.Close, err
		},
		"replica": func(c Config) (func(int) error, func() error, error) {
			r, err := OpenReplica(t.Context(), c)
			return func(i int) error {
				_, err := r.Apply([]Entry{{Index: uint64(i + 1), At: time.Now(), Transactions: []persistence.Transaction{onePut(i, make([]byte, 1000))}}})
				return err
			}, r.Close, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			put, end, err := open(Config{Dir: dir, MinFree: 1})
			must(t, err)
			for i := range 100 {
				must(t, put(i))
			}
			must(t, os.RemoveAll(dir))
			err = closeWithin(t, end)
			if err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("Close without the folder: %v, want an error with its name", err)
			}
			if again := end(); again == nil {
				t.Error("Close returns nil the second time")
			}
		})
	}
}

func TestCloseThatCannotMakeATableLosesNothing(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), MinFree: 1}
	s, err := Open(t.Context(), c)
	must(t, err)
	put(t, s, "a", "1", persistence.Unsynced())
	blocked := filepath.Join(c.Dir, "000001.sst")
	must(t, os.Mkdir(blocked, 0o700))
	if err := closeWithin(t, s.Close); err == nil || !strings.Contains(err.Error(), "000001.sst") {
		t.Errorf("Close that cannot make a table: %v, want an error that names it", err)
	}
	must(t, os.Remove(blocked))
	s = openStore(t, c)
	wantValue(t, s, "a", "1")
	must(t, s.Close())
}

func TestCloseContextSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	s := openStore(t, Config{Dir: t.TempDir(), MinFree: 1})
	put(t, s, "a", "1")
	must(t, s.enter()) // as who reads from a disk that hangs
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.CloseContext(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a read or a write that is under way") && !strings.Contains(err.Error(), "in the background") {
		t.Errorf("CloseContext beside a read that hangs: %v, want what it waits for", err)
	}
	if _, err := Open(t.Context(), s.config); !errors.Is(err, ErrLocked) {
		t.Errorf("Open while closing goes on: %v, want ErrLocked", err)
	}
	s.leave()
	must(t, s.CloseContext(t.Context()))
	if err := s.CloseContext(ctx); err != nil {
		t.Errorf("CloseContext after the store was closed: %v", err)
	}
}

func TestReplicaCloseContextEndsBesideInstall(t *testing.T) {
	t.Parallel()
	r, err := OpenReplica(t.Context(), Config{Dir: t.TempDir(), MinFree: 1})
	must(t, err)
	r.mu.Lock() // as Install does with a disk that hangs
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.CloseContext(ctx) }()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "snapshot") {
			t.Errorf("CloseContext beside an Install that hangs: %v, want what it waits for", err)
		}
	case <-time.After(time.Minute):
		t.Error("CloseContext outlives its context")
	}
	r.mu.Unlock()
	must(t, r.Close())
}

func TestCompactWaitsForTheOneUnderWay(t *testing.T) {
	t.Parallel()
	s := openStore(t, Config{})
	defer s.Close()
	s.compact <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Compact(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Compact while another is under way: %v, want that of its context", err)
	}
	<-s.compact
	must(t, s.Compact(t.Context()))
}
