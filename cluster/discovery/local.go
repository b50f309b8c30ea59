package discovery

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"
)

// LocalDiscovery finds the nodes of one user on one host through a folder. It needs
// no network. Its methods may be called concurrently.
//
// A node is a lock, held by its process, and a file with its address. Whether a
// process lives is told by its lock alone, so nothing needs to be refreshed, and a
// killed process is gone at once.
type LocalDiscovery struct {
	dir    string
	logger *slog.Logger

	turn chan struct{} // held by Announce and Withdraw
	own  atomic.Pointer[localEntry]

	logged sync.Map // names of skipped nodes, each logged once
}

// localEntry is what this node has announced.
type localEntry struct {
	folder                 *folder
	cluster, node, address string
	lock                   *flock.Flock // nil when a Slot of this process holds the name
}

// Local returns a discovery that meets in dir. Announce makes the folder with access
// for this user alone; a folder that others may write to is refused. It must be on a
// local disk, since locks do not work everywhere on network file systems.
func Local(dir string, options ...LocalOption) *LocalDiscovery {
	d := &LocalDiscovery{
		dir:    dir,
		logger: slog.New(slog.DiscardHandler),
		turn:   make(chan struct{}, 1),
	}
	for _, option := range options {
		option.applyLocal(d)
	}
	return d
}

// Name returns "local".
func (d *LocalDiscovery) Name() string { return "local" }

// Announce makes node findable at address until Withdraw or the end of the process.
// It takes the name, unless a [Slot] holds it to which the same address was saved.
// A node announced before under another name is withdrawn first. Errors wrap
// [ErrBadName], [ErrBadAddress], [ErrNameTaken], [ErrUnsafeFolder] or the error of
// ctx.
func (d *LocalDiscovery) Announce(ctx context.Context, cluster, node, address string) error {
	if err := checkAnnouncement(ctx, cluster, node, address); err != nil {
		return err
	}
	unlock, err := d.lockTurn(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	own := d.own.Load()
	if own != nil && (own.cluster != cluster || own.node != node) {
		if err := d.withdraw(ctx); err != nil {
			return err
		}
		own = nil
	}
	folder, err := openFolder(d.dir, cluster)
	if err != nil {
		return err
	}
	release, err := folder.seize(ctx)
	if err != nil {
		return err
	}
	defer release()
	entry := &localEntry{folder: folder, cluster: cluster, node: node, address: address}
	if own != nil && own.lock != nil {
		entry.lock = own.lock
		err = folder.write(node, addressSuffix, address)
	} else {
		entry.lock, err = d.enter(folder, node, address)
	}
	if err != nil {
		return err
	}
	d.own.Store(entry)
	return nil
}

// enter claims node and writes its address.
func (d *LocalDiscovery) enter(folder *folder, node, address string) (*flock.Flock, error) {
	lock, err := d.hold(folder, node, address)
	if err != nil {
		return nil, err
	}
	if err := folder.write(node, addressSuffix, address); err != nil {
		if lock != nil {
			err = errors.Join(err, lock.Unlock())
		}
		return nil, err
	}
	return lock, nil
}

// hold claims node. Its lock is nil when a slot of this process has the name: an
// address belongs to one live process, so the slot with this address is ours.
func (d *LocalDiscovery) hold(folder *folder, node, address string) (*flock.Flock, error) {
	lock, err := folder.claim(node)
	if errors.Is(err, ErrNameTaken) {
		if saved, readErr := folder.read(node, lastSuffix); readErr == nil && saved == address {
			return nil, nil
		}
	}
	return lock, err
}

// Find returns the addresses of the live nodes of cluster, without this node's own.
// Files of dead nodes are removed, unreadable ones are skipped and logged once. Errors
// wrap [ErrBadName], [ErrUnsafeFolder] or the error of ctx. The slice is the
// caller's.
func (d *LocalDiscovery) Find(ctx context.Context, cluster string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	folder, err := existingFolder(d.dir, cluster)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, dead, err := d.list(ctx, folder, cluster)
	if err != nil {
		return nil, err
	}
	if len(dead) > 0 {
		release, err := folder.seize(ctx)
		if err != nil {
			return found, nil // some later Find will sweep
		}
		defer release()
		if err := folder.sweep(dead); err != nil {
			d.logger.WarnContext(ctx, "cannot remove files of dead nodes", "folder", folder.path, "error", err)
		}
	}
	return found, nil
}

// list returns the addresses of the other live nodes, and the names of dead ones.
func (d *LocalDiscovery) list(ctx context.Context, folder *folder, cluster string) (found, dead []string, err error) {
	release, err := folder.share(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	names, err := folder.names()
	if err != nil {
		return nil, nil, err
	}
	own := d.own.Load()
	for _, name := range names {
		if own != nil && own.cluster == cluster && own.node == name {
			continue
		}
		live, err := folder.live(name)
		if err != nil {
			d.logSkipped(ctx, name, err)
			continue
		}
		if !live {
			dead = append(dead, name)
			continue
		}
		address, err := folder.read(name, addressSuffix)
		switch {
		case errors.Is(err, fs.ErrNotExist): // claimed, not announced
		case err != nil:
			d.logSkipped(ctx, name, err)
		case own == nil || own.address != address:
			found = append(found, address)
		}
	}
	return found, dead, nil
}

func (d *LocalDiscovery) logSkipped(ctx context.Context, name string, err error) {
	if _, again := d.logged.LoadOrStore(name, true); !again {
		d.logger.WarnContext(ctx, "skipped a node with unreadable files", "node", name, "error", err)
	}
}

// Withdraw makes this node unfindable and gives its name back, unless a [Slot] holds
// it. Calling it again does nothing. When ctx ends first, the name is given back all
// the same, and a later Find of any node removes the rest.
func (d *LocalDiscovery) Withdraw(ctx context.Context) error {
	unlock, err := d.lockTurn(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return d.withdraw(ctx)
}

func (d *LocalDiscovery) withdraw(ctx context.Context) error {
	own := d.own.Load()
	if own == nil {
		return nil
	}
	release, err := own.folder.seize(ctx)
	if err == nil {
		defer release()
		// A slot may have been released, and its name taken by another process.
		if announced, readErr := own.folder.read(own.node, addressSuffix); readErr == nil && announced == own.address {
			err = remove(own.folder.file(own.node, addressSuffix))
		}
	}
	if own.lock != nil {
		err = errors.Join(err, own.lock.Unlock())
	}
	d.own.Store(nil)
	return err
}

// lockTurn is a mutex whose wait ends with ctx; when free it is had whatever ctx says.
func (d *LocalDiscovery) lockTurn(ctx context.Context) (func(), error) {
	unlock := func() { <-d.turn }
	select {
	case d.turn <- struct{}{}:
		return unlock, nil
	default:
	}
	select {
	case d.turn <- struct{}{}:
		return unlock, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
