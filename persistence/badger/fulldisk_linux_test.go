package badger

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// TestFullDiskLosesNothing has a process fill a disk of 32 MiB, which it mounts where
// nobody else sees it.
func TestFullDiskLosesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: mounting a small disk needs root")
	}
	t.Parallel()
	cmd := childCommand("full", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	c := start(t, cmd)
	for c.lines.Scan() {
		if c.lines.Text() == "no mounts" {
			t.Skip("SKIPPED: this system does not let root mount")
		}
		t.Log(c.lines.Text())
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the process on the full disk: %v", err)
	}
}

func fullDiskChild(ctx context.Context, arguments []string) error {
	dir := arguments[0]
	if err := errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"),
	); err != nil {
		fmt.Println("no mounts")
		return nil
	}
	config := Config{Dir: filepath.Join(dir, "store"), MemTableSize: 1 << 20, HistoryCount: 500}
	s, err := Open(ctx, config)
	if err != nil {
		return err
	}
	written, err := fillDisk(ctx, s)
	if err != nil {
		return err
	}
	fmt.Println(len(written), "records when full;", s.Stats().Free>>20, "MiB free")
	if len(written) < 100 {
		return fmt.Errorf("the disk is full with %d records", len(written))
	}
	if err := wantWritten(ctx, s, written); err != nil {
		return fmt.Errorf("when full: %w", err)
	}

	// Somebody else takes room, too.
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, s.Stats().Free/4), 0o600); err != nil {
		return err
	}
	if _, err := persistence.Put(ctx, s, "more", nil); !errors.Is(err, persistence.ErrFull) {
		return fmt.Errorf("Put on a fuller disk: %w, want ErrFull", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			return err
		}
		if s, err = Open(ctx, config); err != nil {
			return err
		}
		if err := wantWritten(ctx, s, written); err != nil {
			return fmt.Errorf("after opening again: %w", err)
		}
	}
	for key := range written {
		if _, err := persistence.Delete(ctx, s, key, persistence.Unsynced()); err != nil {
			return fmt.Errorf("Delete on a full disk: %w", err)
		}
	}
	if err := errors.Join(s.trim(ctx, true), s.Compact(ctx), os.Remove(other)); err != nil {
		return err
	}
	s.space.again()
	if _, err := persistence.Put(ctx, s, "more", nil); err != nil {
		return fmt.Errorf("Put after making room: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	return outOfDisk(ctx, config, other)
}

// outOfDisk has somebody else take all that is left of the disk, while a process writes:
// that process may end, since Badger writes through memory maps.
func outOfDisk(ctx context.Context, config Config, other string) error {
	cmd := childCommand("overfull", config.Dir, other)
	cmd.Stderr = nil // the end may be noisy
	out, err := cmd.Output()
	if len(out) == 0 {
		return fmt.Errorf("the process that writes has acknowledged nothing: %w", err)
	}
	fmt.Println("on a disk without any room, the process that writes ended with:", cmd.ProcessState)
	if err := os.Remove(other); err != nil {
		return err
	}
	s, err := Open(ctx, config)
	if err != nil {
		return fmt.Errorf("after making room again: %w", err)
	}
	written := map[string]uint64{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var key string
		var seed uint64
		if _, err := fmt.Sscan(lines.Text(), &key, &seed); err != nil {
			return fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		written[key] = seed
	}
	if err := wantWritten(ctx, s, written); err != nil {
		return fmt.Errorf("after making room again: %w", err)
	}
	if _, err := persistence.Put(ctx, s, "more", nil); err != nil {
		return fmt.Errorf("Put after making room again: %w", err)
	}
	fmt.Println("all", len(written), "acknowledged records are there")
	return s.Close()
}

// overfullChild writes, and says what was acknowledged.
func overfullChild(ctx context.Context, arguments []string) error {
	s, err := Open(ctx, Config{Dir: arguments[0], MemTableSize: 1 << 20, MinFree: 1})
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 1))
	for n := 0; ; n++ {
		if n == 50 {
			f, err := os.Create(arguments[1])
			if err != nil {
				return err
			}
			for err == nil {
				_, err = f.Write(make([]byte, 64<<10))
			}
		}
		key, seed := fmt.Sprint("overfull/", n), random.Uint64()
		if _, err := persistence.Put(ctx, s, key, pattern(seed)); err != nil {
			return errors.Join(err, s.Close())
		}
		fmt.Println(key, seed)
	}
}

// fillDisk writes until there is no room, and returns what was acknowledged.
func fillDisk(ctx context.Context, s *Store) (map[string]uint64, error) {
	const writers, keys = 8, 2000
	var group sync.WaitGroup
	var mu sync.Mutex
	written := map[string]uint64{}
	failures := make(chan error, writers)
	for w := range writers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d/%d", w, random.IntN(keys/writers))
				seed := random.Uint64()
				_, err := persistence.Put(ctx, s, key, pattern(seed))
				if errors.Is(err, persistence.ErrFull) {
					failures <- nil
					return
				} else if err != nil {
					failures <- err
					return
				}
				mu.Lock()
				written[key] = seed
				mu.Unlock()
				if n == 20_000 {
					failures <- errors.New("the disk does not get full")
					return
				}
			}
		})
	}
	group.Wait()
	var errs error
	for range writers {
		errs = errors.Join(errs, <-failures)
	}
	return written, errs
}

func pattern(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 2))
	value := make([]byte, 500+random.IntN(50_000))
	for i := 0; i < len(value); i += 1 + random.IntN(8) {
		value[i] = byte(random.Uint32())
	}
	return value
}

func wantWritten(ctx context.Context, s *Store, written map[string]uint64) error {
	for key, seed := range written {
		r, err := s.Get(ctx, key)
		if err != nil {
			return err
		}
		if string(r.Value) != string(pattern(seed)) {
			return fmt.Errorf("%s is not what was acknowledged", key)
		}
	}
	return nil
}
