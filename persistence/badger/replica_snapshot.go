package badger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger/internal/badgerfile"
)

// The folders of a replica on disk. Install makes a store in installing, and renames
// it to installed when it is complete; from then on it is the replica's, even if a
// crash comes before it has taken the place of data.
const (
	dataFolder       = "data"
	installingFolder = "installing"
	installedFolder  = "installed"
)

// Snapshot writes the whole replica to w, as after the entry whose index it returns:
// also its place in the log, and what it remembers of proposers. Reads and entries go
// on meanwhile. The stream has checksums, and is complete only if there is no error.
func (r *Replica) Snapshot(ctx context.Context, w io.Writer) (index uint64, err error) {
	r.state.Lock()
	s := r.current()
	if err := s.enter(); err != nil {
		r.state.Unlock()
		return 0, err
	}
	defer s.leave()
	s.pins.RLock()
	defer s.pins.RUnlock()
	last := persistence.Revision(s.visible.Load())
	placed, index := r.placed(), r.place.index
	r.state.Unlock()

	buffered := bufio.NewWriterSize(w, 256<<10)
	out := newBackupWriter(buffered)
	out.header(backupHeader{revision: last, at: s.now()})
	out.frame(framePlace, placed.place)
	for name, p := range placed.proposals {
		out.frame(frameProposal, append(appendText(nil, name), p...))
	}
	err = s.attempt(func() error {
		txn := s.db.NewTransactionAt(uint64(last), false)
		defer txn.Discard()
		return s.backupAll(ctx, txn, out)
	})
	if err == nil {
		out.end()
		err = errors.Join(out.err, buffered.Flush())
	}
	if err != nil {
		return 0, fmt.Errorf("badger: snapshot of %s: %w", s.where(), err)
	}
	return index, nil
}

// Install replaces everything with the snapshot that in gives, if it is whole; one that
// is cut short or damaged gives an error that is [persistence.ErrCorrupt] and changes
// nothing. Revisions before that of the snapshot are then no longer in the history.
func (r *Replica) Install(ctx context.Context, in io.Reader) error {
	fresh, err := r.openFresh(ctx)
	if err != nil {
		return err
	}
	var placed replicaPlace
	err = fresh.restore(ctx, in, &placed)
	if err == nil {
		err = placed.check()
	}
	if err == nil {
		err = placed.write(fresh)
	}
	if err != nil {
		return errors.Join(err, r.discard(fresh))
	}
	return r.replace(ctx, fresh)
}

// openFresh returns an empty store that may become that of the replica, in its folder of
// its own.
func (r *Replica) openFresh(ctx context.Context) (*Store, error) {
	config := r.config
	if config.Dir != "" {
		config.Dir = filepath.Join(r.config.Dir, installingFolder)
		if err := os.RemoveAll(config.Dir); err != nil {
			return nil, err
		}
	}
	return openAs(ctx, config, true)
}

// discard removes what openFresh has made.
func (r *Replica) discard(fresh *Store) error {
	err := fresh.Close()
	if r.config.Dir != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Join(r.config.Dir, installingFolder)))
	}
	return err
}

// replace makes fresh the store of the replica.
func (r *Replica) replace(ctx context.Context, fresh *Store) error {
	r.state.Lock()
	defer r.state.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.Join(errClosed(), fresh.Close())
	}
	old := r.store
	if r.config.Dir == "" {
		return errors.Join(r.adopt(fresh), old.Close())
	}
	err := fresh.Close()
	if err == nil {
		err = os.Rename(fresh.config.Dir, filepath.Join(r.config.Dir, installedFolder))
	}
	if err == nil {
		err = errors.Join(old.Close(), r.settleInstall())
	}
	if err == nil {
		fresh, err = r.openData(ctx)
	}
	if err == nil {
		err = r.adopt(fresh)
	}
	if err != nil {
		return fmt.Errorf("badger: installing a snapshot: %w", err)
	}
	return nil
}

// settleInstall finishes what a crash has left of an Install, unless that was one of
// another major version.
func (r *Replica) settleInstall() error {
	if r.config.Dir == "" {
		return nil
	}
	for _, folder := range []string{dataFolder, installingFolder, installedFolder} {
		if err := checkVersion(filepath.Join(r.config.Dir, folder)); err != nil {
			return err
		}
	}
	data := filepath.Join(r.config.Dir, dataFolder)
	installed := filepath.Join(r.config.Dir, installedFolder)
	if err := os.RemoveAll(filepath.Join(r.config.Dir, installingFolder)); err != nil {
		return err
	}
	if _, err := os.Stat(installed); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := os.Rename(installed, data); err != nil {
		return err
	}
	return badgerfile.SyncDir(r.config.Dir)
}

func (r *Replica) openData(ctx context.Context) (*Store, error) {
	config := r.config
	if config.Dir != "" {
		config.Dir = filepath.Join(config.Dir, dataFolder)
	}
	return openAs(ctx, config, true)
}

// replicaPlace is what a snapshot has beside records.
type replicaPlace struct {
	place     []byte
	proposals map[string][]byte
}

// placed returns the place in the log and what is known of proposers. The caller holds the
// lock of the state.
func (r *Replica) placed() replicaPlace {
	p := replicaPlace{place: r.place.encode(), proposals: make(map[string][]byte, len(r.known))}
	for name, known := range r.known {
		p.proposals[name] = known.encode()
	}
	return p
}

// check refuses a stream that had no place.
func (p *replicaPlace) check() error {
	if p.place == nil {
		return fmt.Errorf("badger: %w: this is a backup of a store on one node, not the snapshot of a replica", persistence.ErrInvalid)
	}
	return nil
}

// add takes a frame of a snapshot.
func (p *replicaPlace) add(kind byte, content []byte) error {
	d := decoder{rest: content}
	if kind == framePlace {
		p.place = append([]byte(nil), content...)
		return new(place).decode(content)
	}
	name := d.text()
	if d.failed || p.place == nil {
		return errMalformed
	}
	if p.proposals == nil {
		p.proposals = map[string][]byte{}
	}
	p.proposals[name] = append([]byte(nil), d.rest...)
	return new(proposal).decode(d.rest)
}

func (p *replicaPlace) write(s *Store) error {
	_, err := s.submit(context.Background(), true, func(b *batch) (persistence.Revision, error) {
		if err := b.flush(); err != nil {
			return 0, err
		}
		for name, data := range p.proposals {
			b.set(proposerKey(name), data)
			if b.size += changeCost + len(name) + len(data); b.size > b.s.limits.transaction {
				if err := b.flush(); err != nil {
					return 0, err
				}
			}
		}
		b.set(placeKey(), p.place) // last: without it, this is no replica
		return b.last, b.flush()
	})
	return err
}
