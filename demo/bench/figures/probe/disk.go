//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// rewritten is what rewriting some keys again and again has cost.
type rewritten struct {
	Seconds   float64 // of writing
	Peak, End int64   // bytes of the folder; End after a few quiet seconds
	History   int64   // bytes of values that the history keeps at the end
	OverBound float64 // the most that the folder was of three times live and history, and 64 MiB
	Collected uint64  // files of the value log
}

// rewrite writes random values to a few keys so many times, without a sync. history is
// how many transactions the store keeps of its past; 0 means what it does by default.
func rewrite(ctx context.Context, dir string, keys, size, times, history int) (r rewritten, err error) {
	store, err := badger.Open(ctx, badger.Config{Dir: dir, HistoryCount: history})
	if err != nil {
		return r, err
	}
	look := func() {
		s, kept := folderSize(dir), kept(store, size)
		r.Peak, r.End, r.History = max(r.Peak, s), s, kept
		r.OverBound = max(r.OverBound, float64(s)/float64(3*(int64(keys*size)+kept)+64<<20))
	}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			look()
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, size)
	start := time.Now()
	for i := range times {
		_, _ = random.Read(value) // never fails
		if _, err = persistence.Put(ctx, store, fmt.Sprint("key", i%keys), value, persistence.Unsynced()); err != nil {
			break
		}
	}
	r.Seconds = time.Since(start).Seconds()
	if err == nil {
		time.Sleep(5 * time.Second)
	}
	close(stop)
	looking.Wait()
	look()
	r.Collected = store.Stats().Collections
	if closing := store.Close(); err == nil {
		err = closing
	}
	return r, err
}

// kept is the bytes of the values that the history can ask for.
func kept(store *badger.Store, size int) int64 {
	s := store.Stats()
	return int64(s.Revision-s.History) * int64(size)
}

// fill writes records of random bytes, most of them small, and a few large ones over and
// over, with a sync now and then.
func (p *probe) fill(ctx context.Context, dir string, records, size int) error {
	store, err := badger.Open(ctx, badger.Config{Dir: dir})
	if err != nil {
		return err
	}
	p.closeStore = store.Close
	const writers = 8
	errs := make([]error, writers)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			random := rand.NewChaCha8([32]byte{byte(w)})
			for i := w; i < records && errs[w] == nil; i += writers {
				key, value := fmt.Sprintf("small/%07d", i), make([]byte, size)
				if i%50 == 0 {
					key, value = fmt.Sprint("large/", i%1000), make([]byte, 64<<10)
				}
				_, _ = random.Read(value) // never fails
				var options []persistence.WriteOption
				if i%1000 != 999 {
					options = append(options, persistence.Unsynced())
				}
				_, errs[w] = persistence.Put(ctx, store, key, value, options...)
			}
		})
	}
	writing.Wait()
	return errors.Join(errs...)
}

// open returns how many milliseconds it takes to open the store, and to read from it.
func open(ctx context.Context, dir string) (float64, error) {
	start := time.Now()
	store, err := badger.Open(ctx, badger.Config{Dir: dir})
	if err != nil {
		return 0, err
	}
	_, err = store.Get(ctx, "small/0000001")
	took := time.Since(start)
	if closing := store.Close(); err == nil {
		err = closing
	}
	return float64(took.Microseconds()) / 1000, err
}

// folderSize is what the files in a folder take of the disk: those that Badger maps are
// longer than that.
func folderSize(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // it has been removed meanwhile
		}
		if info, err := e.Info(); err == nil {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				bytes += s.Blocks * 512
			}
		}
		return nil
	})
	return bytes
}
