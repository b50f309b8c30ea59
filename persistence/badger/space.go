package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/troupe-go/troupe/persistence"
)

// space watches how large the store is and how much room the disk has.
type space struct {
	config  Config
	db      *badger.DB
	replica bool // its Config is not the user's

	mu      sync.Mutex
	measure time.Time // the next time
	written int64     // since it was measured
	used    int64
	free    int64
	refused bool // something, since the last look
}

func newSpace(config Config, db *badger.DB, replica bool) *space {
	return &space{config: config, db: db, replica: replica}
}

// admit returns an error that is ErrFull if there is no room for a transaction of that
// size. One that only deletes may use what is kept back from the others.
func (s *space) admit(now time.Time, adds bool, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(size)
	if err := s.refresh(now); err != nil {
		return err
	}
	needed := int64(s.config.MinFree)
	if !adds {
		needed /= 2
	}
	free, used := s.free-s.written, s.used+s.written
	switch {
	case free < needed:
		s.refused = true
		advice := "free some"
		if !s.replica {
			advice += ", or lower MinFree of badger.Config"
		}
		return fmt.Errorf("badger: %w: the disk of %s has %d MiB free, and %d must remain; %s", persistence.ErrFull, s.config.Dir, free>>20, needed>>20, advice)
	case adds && s.config.MaxSize > 0 && used > int64(s.config.MaxSize):
		s.refused = true
		return fmt.Errorf("badger: %w: it has %d MiB, and %d are allowed; delete some records, or raise MaxSize of badger.Config", persistence.ErrFull, used>>20, int64(s.config.MaxSize)>>20)
	}
	return nil
}

// last returns an error that is ErrFull if a replica, which has to apply what all have
// agreed on, must not go on.
func (s *space) last(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(now); err != nil {
		return err
	}
	if s.free-s.written < int64(s.config.MinFree)/4 {
		return fmt.Errorf("badger: %w: the disk of %s has %d MiB free, and this replica needs %d to go on; free some and open it again", persistence.ErrFull, s.config.Dir, s.free>>20, int64(s.config.MinFree)/4>>20)
	}
	return nil
}

// refresh measures once a second, and sooner where much has been written.
func (s *space) refresh(now time.Time) error {
	if !now.After(s.measure) && s.written <= int64(s.config.MinFree)/16 {
		return nil
	}
	if err := s.look(); err != nil {
		return err
	}
	s.measure = now.Add(time.Second)
	return nil
}

// look measures. Only a store with a limit or on disk has anything to measure.
func (s *space) look() error {
	s.written = 0
	if s.config.Dir == "" {
		s.free = 1<<63 - 1
		s.used = 0
		for _, t := range s.db.Tables() {
			s.used += int64(t.OnDiskSize)
		}
		return nil
	}
	var err error
	if s.free, err = freeSpace(s.config.Dir); err != nil {
		return fmt.Errorf("badger: measuring the disk of %s: %w", s.config.Dir, err)
	}
	s.used, err = sizeOf(s.config.Dir)
	return err
}

// wasRefused reports whether something was refused since it was last called.
func (s *space) wasRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := s.refused
	s.refused = false
	return refused
}

// again has the next transaction measure: there may be more room.
func (s *space) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure = time.Time{}
}

// sizeOf returns the bytes that the files in dir take on disk. Badger allocates files
// ahead, so that their lengths say nothing.
func sizeOf(dir string) (total int64, err error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, n := range names {
		info, err := os.Stat(filepath.Join(dir, n.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return 0, err
		}
		total += allocated(info)
	}
	return total, nil
}

// outOfSpace also knows errors of Badger, which wraps them as text.
func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), syscall.ENOSPC.Error())
}
