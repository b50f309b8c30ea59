package consensus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// A backup is the snapshot of a replica behind a head: these bytes, the index of the
// last entry that is in the snapshot, and the CRC-32C of both. The snapshot has
// checksums of its own.
const (
	backupMagic = "troupe backup 1\n"
	backupHead  = len(backupMagic) + 8 + 4
)

func encodeBackupHead(index uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte(backupMagic), index)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func decodeBackupHead(b []byte) (index uint64, err error) {
	if len(b) == backupHead {
		index = binary.BigEndian.Uint64(b[len(backupMagic):])
	}
	if !bytes.Equal(b, encodeBackupHead(index)) {
		return 0, fmt.Errorf("consensus: %w: this is no backup of a core, or it is damaged", persistence.ErrCorrupt)
	}
	return index, nil
}

// Backup writes everything that the core holds to w, as this replica has it: the
// leader's is the newest.
func (r *replica) Backup(ctx context.Context, w io.Writer) error {
	if !r.enter() {
		return r.gone()
	}
	defer r.using.Done()
	stream, err := newSpool(r.config.Dir)
	if err != nil {
		return err
	}
	index, err := r.store.Snapshot(ctx, stream)
	if err == nil {
		_, err = w.Write(encodeBackupHead(index))
	}
	if err == nil {
		_, err = io.Copy(w, stream.reader())
	}
	return errors.Join(err, stream.remove())
}

// restoration is a backup on its way into the log. Raft reads it as a stream, and the
// sink takes it as what it is.
type restoration struct {
	io.Reader
	stream *spool
	err    error // why the backup could not be installed; it has changed nothing then
}

// Restore replaces everything that the core holds by a backup. Only the leader can.
// Proposals on their way fail, and it is not known whether they have happened before.
// A damaged backup changes nothing. Other errors do not say whether it was restored.
func (r *replica) Restore(ctx context.Context, in io.Reader) error {
	if _, err := r.reigning(ctx); err != nil {
		return err
	}
	if !r.enter() {
		return r.gone()
	}
	defer r.using.Done()
	head := make([]byte, backupHead)
	if _, err := io.ReadFull(in, head); err != nil {
		return fmt.Errorf("consensus: reading the backup: %w", err)
	}
	index, err := decodeBackupHead(head)
	if err != nil {
		return err
	}
	stream, err := newSpool(r.config.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = stream.remove() }()
	if _, err := io.Copy(stream, in); err != nil {
		return fmt.Errorf("consensus: reading the backup: %w", err)
	}
	backup := &restoration{Reader: stream.reader(), stream: stream}
	meta := &raft.SnapshotMeta{Version: raft.SnapshotVersionMax, Index: index, Size: stream.size}
	err = r.raft.Restore(meta, backup, 0) // it cannot be interrupted
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return r.notLeader()
	case err != nil:
		return fmt.Errorf("consensus: restoring a backup: %w", err)
	case backup.err != nil:
		return backup.err
	}
	_, _, err = r.append(ctx, &badger.Entry{At: time.Now()})
	return err
}
