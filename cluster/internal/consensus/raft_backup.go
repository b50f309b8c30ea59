package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/consensus/spool"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// Backup writes everything that the core holds to w, as this replica has it: the
// leader's is the newest. It is the snapshot of the store.
func (r *replica) Backup(ctx context.Context, w io.Writer) error {
	stream, err := r.spoolBackup(ctx)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, stream.Reader())
	return errors.Join(err, stream.Remove())
}

// spoolBackup returns a backup that its reader may take its time for.
func (r *replica) spoolBackup(ctx context.Context) (*spool.Spool, error) {
	if !r.enter() {
		return nil, r.gone()
	}
	defer r.using.Done()
	stream, err := spool.New(r.config.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := r.store.Snapshot(ctx, stream); err != nil {
		return nil, errors.Join(err, stream.Remove())
	}
	return stream, nil
}

// newestBackup is spoolBackup of the leader: what was acknowledged before is in it.
func (r *replica) newestBackup(ctx context.Context) (*spool.Spool, error) {
	if err := r.ReadBarrier(ctx); err != nil {
		return nil, err
	}
	return r.spoolBackup(ctx)
}

// Restore replaces everything that the core holds by the backup that a session has in
// parts. Only the leader can: with an error that is errNotLeader, nothing has happened,
// and nothing ever will after one that is ErrCorrupt, ErrInvalid, ErrFull or
// ErrSessionEnded. Otherwise ask again: what has been restored is not restored again.
func (r *replica) Restore(ctx context.Context, session string, parts uint64) error {
	if _, err := r.reigning(ctx); err != nil {
		return err
	}
	// All replicas hold the parts, and write what is in them a second time.
	if s := r.store.Stats(); s.Free > 0 && uint64(s.Free)/partSize < parts {
		return fmt.Errorf("consensus: %w: a backup of up to %d MiB does not fit on the disk of %s, which has %d MiB free", persistence.ErrFull, parts*partSize>>20, r.config.Node, s.Free>>20)
	}
	e := &badger.Entry{At: time.Now(), From: "restore/" + session, Sequence: 1}
	a, _, err := r.appendAll(ctx, e, &pb.Restoration{Session: session, Parts: parts, Ttl: int64(r.config.Timing.SessionTTL)})
	if err != nil {
		return err
	}
	if len(a.outcomes) != 1 {
		return errStale
	}
	return a.outcomes[0].Err
}
