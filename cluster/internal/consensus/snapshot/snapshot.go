package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/cluster/internal/consensus/raftlog"
	"github.com/troupe-go/troupe/cluster/internal/consensus/spool"
	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// Store is the [raft.SnapshotStore] of a state machine that is on disk by itself.
// What raft takes for the latest snapshot is a marker in the log: the replica has
// applied everything up to there, durably, and the log need not keep it. The stream for
// a follower is made when it is opened. It may hold later entries than the marker says;
// the follower skips those when it gets them.
type Store struct {
	dir   string
	log   *raftlog.Log
	store *badger.Replica
	ctx   context.Context // ends with the replica

	mu       sync.Mutex
	present  *raft.SnapshotMeta // nil if there is none
	received *sink              // complete, and not yet installed
}

// Open returns the store of the replica in dir, which is empty for one in memory. What it
// does for raft ends with ctx.
func Open(ctx context.Context, dir string, log *raftlog.Log, store *badger.Replica) (*Store, error) {
	if err := spool.Clear(dir); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, log: log, store: store, ctx: ctx}
	m, err := log.Marker(ctx)
	if err == nil && m != nil {
		s.present, err = marked(m)
	}
	return s, err
}

func marked(m *consensuspb.Marker) (*raft.SnapshotMeta, error) {
	configuration, err := raftlog.DecodeConfiguration(m.Configuration)
	if err != nil {
		return nil, err
	}
	return metaOf(m.Index, m.Term, configuration, m.ConfigurationIndex), nil
}

func metaOf(index, term uint64, configuration raft.Configuration, configurationIndex uint64) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: fmt.Sprintf("%d-%d", term, index),
		Index: index, Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex,
	}
}

// Create implements [raft.SnapshotStore].
func (s *Store) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &sink{snapshots: s, meta: metaOf(index, term, configuration, configurationIndex)}, nil
}

// List implements [raft.SnapshotStore].
func (s *Store) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present == nil {
		return nil, nil
	}
	meta := *s.present
	return []*raft.SnapshotMeta{&meta}, nil
}

// Open implements [raft.SnapshotStore]: it returns what has been received, or makes the
// stream of what there is.
func (s *Store) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	received, present := s.received, s.present
	s.mu.Unlock()
	if received != nil && received.meta.ID == id {
		return received.meta, io.NopCloser(received.stream.Reader()), nil
	}
	if present == nil || present.ID != id {
		return nil, nil, fmt.Errorf("consensus: snapshot %s has been replaced", id)
	}
	stream, err := s.stream()
	if err != nil {
		return nil, nil, err
	}
	meta := *present
	meta.Size = stream.Size()
	return &meta, spoolReader{stream.Reader(), stream}, nil
}

// Latest returns the latest snapshot, nil if there is none.
func (s *Store) Latest() *raft.SnapshotMeta {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present
}

// stream makes one of what the replica has now.
func (s *Store) stream() (*spool.Spool, error) {
	stream, err := spool.New(s.dir)
	if err != nil {
		return nil, err
	}
	if _, err := s.store.Snapshot(s.ctx, stream); err != nil {
		return nil, errors.Join(err, stream.Remove())
	}
	return stream, nil
}

type spoolReader struct {
	io.Reader
	stream *spool.Spool
}

// Close removes the stream.
func (r spoolReader) Close() error { return r.stream.Remove() }

// mark makes meta the latest snapshot, unless there is a later one.
func (s *Store) mark(meta *raft.SnapshotMeta) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present != nil && s.present.Index >= meta.Index {
		return nil
	}
	err := s.log.SetMarker(&consensuspb.Marker{
		Index: meta.Index, Term: meta.Term,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
	})
	if err == nil {
		s.present = meta
	}
	return err
}

// Install has the replica take on what was received. An error that is not fatal has
// changed nothing.
//
// A crash may come at any time. The snapshot is installed before it is marked: until then
// this server has only what it had before, as far as raft knows.
func (s *Store) Install() (meta *raft.SnapshotMeta, fatal bool, err error) {
	s.mu.Lock()
	received := s.received
	s.received = nil
	s.mu.Unlock()
	if received == nil {
		return nil, false, errors.New("consensus: no snapshot has been received")
	}
	meta = received.meta
	err = s.store.Install(s.ctx, received.stream.Reader())
	fatal = err != nil && !damaged(err)
	if err == nil {
		err = s.mark(meta)
		fatal = err != nil
	}
	return meta, fatal, errors.Join(err, received.discard())
}

// sink takes a marker, or a stream that comes from another server.
type sink struct {
	snapshots *Store
	meta      *raft.SnapshotMeta
	marked    bool         // by the state machine
	stream    *spool.Spool // nil if nothing was written
}

// ID implements [raft.SnapshotSink].
func (s *sink) ID() string { return s.meta.ID }

// Write implements [io.Writer].
func (s *sink) Write(p []byte) (n int, err error) {
	if s.stream == nil {
		if s.stream, err = spool.New(s.snapshots.dir); err != nil {
			return 0, err
		}
	}
	return s.stream.Write(p)
}

// Close implements [raft.SnapshotSink].
func (s *sink) Close() error {
	switch {
	case s.marked:
		return s.snapshots.mark(s.meta)
	case s.stream == nil:
		return errors.New("consensus: the snapshot is empty")
	}
	s.meta.Size = s.stream.Size()
	s.snapshots.mu.Lock()
	previous := s.snapshots.received
	s.snapshots.received = s
	s.snapshots.mu.Unlock()
	if previous != nil {
		return previous.discard()
	}
	return nil
}

// Cancel implements [raft.SnapshotSink].
func (s *sink) Cancel() error { return s.discard() }

func (s *sink) discard() error {
	if s.stream == nil {
		return nil
	}
	stream := s.stream
	s.stream = nil
	return stream.Remove()
}

// damaged says that a snapshot could not be installed for what it is.
func damaged(err error) bool {
	return errors.Is(err, persistence.ErrCorrupt) || errors.Is(err, persistence.ErrInvalid) || errors.Is(err, persistence.ErrVersion) || errors.Is(err, context.Canceled)
}

// Marker is what a state machine gives raft for a snapshot: it is durable by itself, and
// how far it has come is all that has to be kept.
type Marker struct{}

// Persist implements [raft.FSMSnapshot].
func (Marker) Persist(to raft.SnapshotSink) error {
	to.(*sink).marked = true
	return to.Close()
}

// Release implements [raft.FSMSnapshot].
func (Marker) Release() {}
