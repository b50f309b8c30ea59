package discovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// The files of one node name in a folder, by suffix.
const (
	lockSuffix    = ".lock" // locked for as long as the process that has the name lives
	addressSuffix = ".addr" // where the node is now; meaningless without a held lock
	lastSuffix    = ".last" // where the node was last; outlives its process
	tempSuffix    = ".tmp"
)

const (
	// guardFile cannot be a node name: those begin with a letter or digit.
	guardFile  = ".guard"
	guardRetry = 2 * time.Millisecond
)

// folder is the meeting place of one cluster's processes. Whoever probes locks or
// reads addresses holds the guard shared; whoever claims a name, writes an address
// or removes files holds it exclusively. So a failing TryLock means a live holder,
// never a passing probe, and a lock file can be removed without a race.
type folder struct{ path string }

// openFolder returns the folder of cluster, making it when it is missing.
func openFolder(dir, cluster string) (*folder, error) {
	if err := checkName(cluster); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, cluster)
	for _, made := range []string{dir, path} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			return nil, fmt.Errorf("discovery: cannot make the rendezvous folder: %w", err)
		}
		if err := checkFolder(made); err != nil {
			return nil, err
		}
	}
	return &folder{path}, nil
}

// existingFolder returns the folder of cluster, or an error that wraps
// [fs.ErrNotExist].
func existingFolder(dir, cluster string) (*folder, error) {
	if err := checkName(cluster); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, cluster)
	for _, checked := range []string{dir, path} {
		if err := checkFolder(checked); err != nil {
			return nil, err
		}
	}
	return &folder{path}, nil
}

func checkFolder(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("discovery: rendezvous folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is a link or a file: remove it or choose another folder", ErrUnsafeFolder, path)
	}
	return checkOwner(path, info)
}

// share takes the guard for reading and returns the function that gives it back.
func (f *folder) share(ctx context.Context) (func(), error) {
	guard := flock.New(filepath.Join(f.path, guardFile))
	return f.take(ctx, guard, guard.TryRLockContext)
}

// seize takes the guard for writing and returns the function that gives it back.
func (f *folder) seize(ctx context.Context) (func(), error) {
	guard := flock.New(filepath.Join(f.path, guardFile))
	return f.take(ctx, guard, guard.TryLockContext)
}

func (f *folder) take(ctx context.Context, guard *flock.Flock,
	lock func(context.Context, time.Duration) (bool, error)) (func(), error) {
	if _, err := lock(ctx, guardRetry); err != nil {
		return nil, fmt.Errorf("discovery: rendezvous folder %s cannot be locked: %w", f.path, err)
	}
	return func() { _ = guard.Unlock() }, nil
}

func (f *folder) file(name, suffix string) string { return filepath.Join(f.path, name+suffix) }

// claim locks name for this process and removes what a dead holder left. The guard
// must be seized.
func (f *folder) claim(name string) (*flock.Flock, error) {
	path := f.file(name, lockSuffix)
	if err := checkRegular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lock := flock.New(path)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("discovery: cannot lock node name %q: %w", name, err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %q in %s: stop that process or choose another name", ErrNameTaken, name, f.path)
	}
	if err := remove(f.file(name, addressSuffix)); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, nil
}

// live tells whether a process holds name. The guard must be held.
func (f *folder) live(name string) (bool, error) {
	path := f.file(name, lockSuffix)
	if err := checkRegular(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	probe := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := probe.TryRLock()
	if err != nil {
		return false, err
	}
	if !free {
		return true, nil
	}
	return false, probe.Unlock()
}

// names lists the names that are locked, were locked, or have an address.
func (f *folder) names() ([]string, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("discovery: cannot list the rendezvous folder: %w", err)
	}
	var names []string
	seen := make(map[string]bool)
	for _, entry := range entries {
		name, isLock := strings.CutSuffix(entry.Name(), lockSuffix)
		if !isLock {
			var isAddress bool
			if name, isAddress = strings.CutSuffix(entry.Name(), addressSuffix); !isAddress {
				continue
			}
		}
		if !seen[name] && checkName(name) == nil && entry.Type().IsRegular() {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// sweep removes the files of those names whose process has died. The guard must be
// seized: a name may have found a new holder since it was seen dead.
func (f *folder) sweep(names []string) error {
	var failed []error
	for _, name := range names {
		live, err := f.live(name)
		if err == nil && !live {
			err = errors.Join(remove(f.file(name, addressSuffix)), remove(f.file(name, lockSuffix)))
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
