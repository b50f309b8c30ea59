package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gofrs/flock"
)

var (
	// ErrNameTaken is wrapped by errors about a node name that a live process of
	// this user holds.
	ErrNameTaken = errors.New("discovery: node name is taken by a live process")

	// ErrReleased is returned when a released [Slot] is used.
	ErrReleased = errors.New("discovery: slot is released: claim a new one")

	// ErrUnsafeFolder is wrapped by errors about a rendezvous folder to which
	// another user has or may have access.
	ErrUnsafeFolder = errors.New("discovery: unsafe rendezvous folder")
)

// maxSlots bounds the search for a free slot.
const maxSlots = 1000

// A Slot is a claim on a node name, unique among the live processes that use the
// same folder. It ends with Release or with the process, however that dies. Its
// methods may be called concurrently.
type Slot struct {
	folder *folder
	name   string
	index  int

	mu   sync.Mutex
	lock *flock.Flock // nil once released
	last string
}

// ClaimSlot claims the lowest free name of "host-0", "host-1", … in cluster, so that
// a restarted process gets its former name back. The claims lie in dir, which is
// made if missing, must belong to this user alone, and must be on a local disk.
// Errors wrap [ErrBadName], [ErrUnsafeFolder], the error of ctx, or [ErrNameTaken]
// when a thousand names are taken. It may be called concurrently.
func ClaimSlot(ctx context.Context, dir, cluster, host string) (*Slot, error) {
	return claimFirst(ctx, dir, cluster, maxSlots, func(i int) string { return fmt.Sprintf("%s-%d", host, i) })
}

// ClaimName claims name in cluster; the index of the slot is 0. Errors are those of
// [ClaimSlot]; they wrap [ErrNameTaken] if a live process of this user has the name.
// It may be called concurrently.
func ClaimName(ctx context.Context, dir, cluster, name string) (*Slot, error) {
	return claimFirst(ctx, dir, cluster, 1, func(int) string { return name })
}

func claimFirst(ctx context.Context, dir, cluster string, count int, name func(int) string) (*Slot, error) {
	folder, err := openFolder(dir, cluster)
	if err != nil {
		return nil, err
	}
	release, err := folder.seize(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for i := range count {
		if err := checkName(name(i)); err != nil {
			return nil, err
		}
		lock, claimErr := folder.claim(name(i))
		if errors.Is(claimErr, ErrNameTaken) {
			err = claimErr
			continue
		}
		if claimErr != nil {
			return nil, claimErr
		}
		// An unreadable record means no more than that the last address is lost.
		last, readErr := folder.read(name(i), lastSuffix)
		if readErr != nil {
			last = ""
		}
		return &Slot{folder: folder, name: name(i), index: i, lock: lock, last: last}, nil
	}
	return nil, err
}

// Name returns the claimed node name.
func (s *Slot) Name() string { return s.name }

// Index returns which of the host's names this is, from 0.
func (s *Slot) Index() int { return s.index }

// LastAddress returns the address that was saved last under this name, by this
// process or a former one, or "" when there is none.
func (s *Slot) LastAddress() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// SaveAddress keeps address for the next process that claims this name. Save the
// address before announcing it: that is how [LocalDiscovery] knows that the process
// that holds the name and the one that announces it are the same. Errors wrap
// [ErrBadAddress] or [ErrReleased].
func (s *Slot) SaveAddress(address string) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return ErrReleased
	}
	if err := s.folder.write(s.name, lastSuffix, address); err != nil {
		return err
	}
	s.last = address
	return nil
}

// Release gives the name back, and with it whatever [LocalDiscovery] announces under
// it. Calling it again does nothing.
func (s *Slot) Release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	if err := s.lock.Unlock(); err != nil {
		return fmt.Errorf("discovery: cannot release node name %q: %w", s.name, err)
	}
	s.lock = nil
	return nil
}
