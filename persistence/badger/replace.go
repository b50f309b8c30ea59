package badger

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/troupe-go/troupe/persistence"
)

// replaceSkip is how many revisions [Replica.Replace] leaves out. The store that a
// snapshot is from may have gone on after it, and whoever has heard of its revisions
// must find those to come larger: also when that store is lost, and nobody can say how
// far it came.
const replaceSkip = 1 << 32

// mostRevision bounds what a snapshot may say: a store goes on for long after it.
const mostRevision = 1 << 62

// Selection says what [Replica.Replace] takes of a snapshot. The functions get a record
// that is theirs.
type Selection struct {
	// Look gets every record, before Take is asked about the first.
	Look func(persistence.Record)
	// Take reports whether a record is taken. Replicas must answer alike.
	Take func(persistence.Record) bool
}

// Replace applies an entry that puts the records of a snapshot, which [Replica.Snapshot]
// of this or another replica has written, in place of all there are, and then applies
// the entry's transactions. Records keep their revisions. Later ones are larger than any
// that this replica or the snapshot has, by more than 4 billion; the history begins
// there, so that watches of before end with [persistence.ErrHistoryGone]. What is known
// of the log and of proposers stays. It must not be called beside Apply, Sync or Install.
//
// The outcome is the revision that the last transaction has. Its Err says that the
// snapshot was refused, since it is damaged or cut short ([persistence.ErrCorrupt]) or is
// none of a replica ([persistence.ErrInvalid]): then the entry has done nothing. An entry
// that was applied before has the outcome it had, or none; see [Entry]. The error says
// that the replica has failed and must not go on, or that ctx has ended: then the entry
// has not been applied.
func (r *Replica) Replace(ctx context.Context, e Entry, snapshot io.ReadSeeker, which Selection) (Outcome, error) {
	present, before := r.remembered(&e)
	if before {
		outcomes, err := r.Apply([]Entry{e})
		if err != nil || len(outcomes[0]) == 0 {
			return Outcome{}, err
		}
		return outcomes[0][len(outcomes[0])-1], nil
	}
	again, err := replayable(ctx, snapshot)
	if err != nil {
		return Outcome{}, err
	}
	defer again.done()
	h, refusal, err := r.examine(ctx, again, which.Look)
	if err != nil {
		return Outcome{}, err
	}
	if refusal != nil {
		_, err := r.Apply([]Entry{{Index: e.Index, At: e.At}})
		return Outcome{Err: refusal}, err
	}
	h.revision = max(h.revision, r.Latest()) + replaceSkip
	fresh, err := r.openFresh(ctx)
	if err != nil {
		return Outcome{}, err
	}
	err = fresh.take(h, present, func(v backupVisitor) error { return again.visit(ctx, v) }, which.Take)
	next := &Replica{config: r.config}
	if err == nil {
		err = next.adopt(fresh)
	}
	var outcomes [][]Outcome
	if err == nil {
		outcomes, err = next.Apply([]Entry{e})
	}
	if err != nil {
		return Outcome{}, errors.Join(err, r.discard(fresh))
	}
	revision := fresh.visible.Load()
	for _, o := range outcomes[0] {
		if o.Err != nil {
			return Outcome{}, errors.Join(fmt.Errorf("badger: a transaction after a snapshot: %w", o.Err), r.discard(fresh))
		}
	}
	return Outcome{Revision: persistence.Revision(revision)}, r.replace(ctx, fresh)
}

// remembered returns the place in the log and what is known of proposers, and whether e
// was applied before.
func (r *Replica) remembered(e *Entry) (present replicaPlace, before bool) {
	r.state.Lock()
	defer r.state.Unlock()
	p := r.known[e.From]
	if e.Index <= r.place.index || e.From != "" && p != nil && e.Sequence <= p.sequence {
		return replicaPlace{}, true
	}
	return r.placed(), false
}

// VerifySnapshot reads a stream to its end, and returns an error that is
// [persistence.ErrCorrupt] if it is not what [Replica.Snapshot] has written, or not all
// of it, and [persistence.ErrInvalid] if it is the backup of a store on one node. It
// may read further than the end.
func VerifySnapshot(ctx context.Context, in io.Reader) error {
	_, err := readSnapshot(ctx, in, func(persistence.Record) error { return nil })
	return err
}

// examine reads the snapshot to its end, and returns why it is refused, which is the same
// on all replicas. An error is one of reading.
func (r *Replica) examine(ctx context.Context, snapshot *replay, look func(persistence.Record)) (h backupHeader, refusal, err error) {
	in, err := snapshot.open()
	if err != nil {
		return h, nil, err
	}
	reader := failingReader{in: in}
	h, err = readSnapshot(ctx, &reader, func(record persistence.Record) error {
		look(record)
		_, err := r.current().costOf(&record, replicaLimits())
		return err
	})
	switch {
	case err == nil:
		return h, nil, nil
	case reader.err == nil && (errors.Is(err, persistence.ErrCorrupt) || errors.Is(err, persistence.ErrInvalid)):
		return h, err, nil
	}
	return h, nil, err
}

// failingReader remembers an error of the stream that is not its end.
type failingReader struct {
	in  io.Reader
	err error
}

func (r *failingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

func readSnapshot(ctx context.Context, in io.Reader, visit func(persistence.Record) error) (h backupHeader, err error) {
	var placed replicaPlace
	err = readBackup(ctx, in, backupVisitor{
		header: func(found backupHeader) error {
			if h = found; h.since > 0 || h.revision > mostRevision {
				return errMalformed
			}
			return nil
		},
		record: func(record persistence.Record) error {
			if err := placed.check(); err != nil {
				return err
			}
			if record.Revision > h.revision {
				return errMalformed
			}
			return visit(record)
		},
		deletion: func(string) error { return errMalformed },
		replica:  placed.add,
	})
	if err == nil {
		err = placed.check()
	}
	return h, err
}

// take writes the records of a snapshot, of those that are wanted, and the place of a
// replica.
func (s *Store) take(h backupHeader, placed replicaPlace, read func(backupVisitor) error, wanted func(persistence.Record) bool) error {
	selected := func(visit backupVisitor) error {
		record := visit.record
		visit.record = func(r persistence.Record) error {
			if !wanted(r) {
				return nil
			}
			return record(r)
		}
		return read(visit)
	}
	_, err := s.submit(context.Background(), true, func(b *batch) (persistence.Revision, error) {
		if err := b.restore(h, selected); err != nil && b.failure == nil {
			b.failure = fmt.Errorf("restoring: %w", err)
		}
		return h.revision, b.failure
	})
	if err != nil {
		return err
	}
	s.discarded.Store(uint64(h.revision))
	return placed.write(s)
}
