package cluster

import (
	"context"
	"io"
)

// Backup writes everything that the store holds to w, as of one revision; what was
// acknowledged before the call is in it. Reads and writes go on meanwhile. The stream has
// checksums, and is complete only if Backup returns no error. It is not encrypted. It
// comes from this node if that keeps a copy, and else from the one that leads; w must
// then take 256 KiB a minute.
//
// It fails with Unavailable where no majority of those who keep the store can be reached.
func (s *Store) Backup(ctx context.Context, w io.Writer) error { return s.core.Backup(ctx, w) }

// Restore replaces everything that the store holds by a backup of it or of another
// cluster's, for all nodes, as one step in the order of all changes: into a cluster that
// is new, after a disaster, or that has something else. Records get back the revisions
// they had. But revisions do not go back: those to come are larger than any that was ever
// given out here or is in the backup, by more than 4 billion. So fencing tokens only
// grow, also if the cluster that the backup is of has gone on after it and is lost.
//
// Whatever rests on a [Session] ends, as for a node that is cut off: locks, leadership,
// and activations of virtual actors are lost, their holders know before anybody else can
// have them, and for a session's time nobody has. What was held when the backup was made
// is not restored. Watches end with [persistence.ErrHistoryGone].
//
// Stop what writes before: an actor that has its state in memory does not know that the
// store says something else. One with a journal or durable state fails with
// [persistence.ErrConflict] when it writes, and recovers. Virtual actors are started anew, a
// session's time later at most.
//
// Restore reads to the end of the backup, and maybe further. One that is damaged or cut
// short gives [persistence.ErrCorrupt], as does another format, and that of a single
// [persistence/badger] store [persistence.ErrInvalid]. With any error but one of code
// Unknown nothing is replaced. That one comes when ctx ends, or the node leaves, while it
// is replaced: then it is, or is not, as a whole.
//
// The disks of those who keep the store need room for the backup twice, beside what is
// there. Reads and writes wait while they write it down.
//
// [persistence/badger]: https://pkg.go.dev/github.com/troupe-go/troupe/persistence/badger
func (s *Store) Restore(ctx context.Context, r io.Reader) error { return s.core.Restore(ctx, r) }
