package consensus

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/consensus/snapshot"
	"github.com/troupe-go/troupe/cluster/internal/consensus/stopwatch"
	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
	"github.com/troupe-go/troupe/persistence/badger"
)

// machine applies the entries of the log to the replica's store. It is a
// [raft.BatchingFSM]. Raft calls it from one goroutine.
type machine struct {
	ctx       context.Context // of restoring; ends with the replica
	store     *badger.Replica
	snapshots *snapshot.Store
	failed    func(error) // told when the replica must not go on
	broken    error       // why nothing is applied any more

	applying  stopwatch.Stopwatch
	replacing atomic.Bool // all that the store holds, which may take long

	mu      sync.Mutex
	through uint64        // index of the last entry that raft has given
	grown   chan struct{} // closed when through grows; nil if nobody waits
}

// applied is what raft's future gets for an entry.
type applied struct {
	term     uint64
	outcomes []badger.Outcome // nil if the entry was stale
	err      error
}

// Apply implements [raft.FSM].
func (m *machine) Apply(entry *raft.Log) any { return m.ApplyBatch([]*raft.Log{entry})[0] }

// ApplyBatch implements [raft.BatchingFSM]. A response is an applied.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	results := make([]applied, len(logs))
	entries := make([]badger.Entry, len(logs))
	restorations := make([]*consensuspb.Restoration, len(logs))
	for i, l := range logs {
		results[i].term = l.Term
		responses[i] = &results[i]
		entries[i].Index = l.Index
		if l.Type != raft.LogCommand {
			continue
		}
		// One that does not decode does nothing, on every replica.
		restoration, err := decodeEntry(l.Data, &entries[i])
		if err != nil {
			entries[i], results[i].err = badger.Entry{Index: l.Index}, err
		}
		restorations[i] = restoration
	}
	for from := 0; from < len(logs) && m.broken == nil; {
		to := from
		for to < len(logs) && restorations[to] == nil {
			to++
		}
		m.apply(entries[from:to], results[from:to])
		if to < len(logs) && m.broken == nil {
			m.replacing.Store(true)
			m.restore(&entries[to], restorations[to], &results[to])
			m.replacing.Store(false)
			to++
		}
		from = to
	}
	if m.broken != nil {
		for i := range results {
			results[i].err = m.broken
		}
		return responses
	}
	m.advance(logs[len(logs)-1].Index)
	return responses
}

func (m *machine) apply(entries []badger.Entry, results []applied) {
	if len(entries) == 0 {
		return
	}
	applied := m.applying.Start()
	outcomes, err := m.store.Apply(entries)
	applied()
	if err != nil {
		m.fail(fmt.Errorf("consensus: applying entries %d to %d: %w", entries[0].Index, entries[len(entries)-1].Index, err))
	}
	for i := range outcomes {
		results[i].outcomes = outcomes[i]
	}
}

func (m *machine) fail(err error) {
	m.broken = err
	m.failed(err)
}

func (m *machine) advance(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.through = max(m.through, index)
	if m.grown != nil {
		close(m.grown)
		m.grown = nil
	}
}

// progress returns how far raft has got, and, if that is not up to index, a channel that
// is closed when it gets on.
func (m *machine) progress(index uint64) (through uint64, grown <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.through < index && m.grown == nil {
		m.grown = make(chan struct{})
	}
	return m.through, m.grown
}

// Snapshot implements [raft.FSM]: everything applied so far gets durable, so that the
// log can go.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.broken != nil {
		return nil, m.broken
	}
	if err := m.store.Sync(); err != nil {
		m.fail(fmt.Errorf("consensus: syncing the store: %w", err))
		return nil, err
	}
	return snapshot.Marker{}, nil
}

// Restore implements [raft.FSM]. The stream is known to snapshots.
func (m *machine) Restore(io.ReadCloser) error {
	if m.broken != nil {
		return m.broken
	}
	m.replacing.Store(true)
	defer m.replacing.Store(false)
	meta, fatal, err := m.snapshots.Install()
	if fatal {
		m.fail(fmt.Errorf("consensus: installing a snapshot: %w", err))
		return nil // raft would panic; it is being stopped
	}
	if err == nil {
		m.advance(meta.Index)
	}
	return err
}

// encodeEntry returns e as an entry of the log has it. Its index is that of the log.
func encodeEntry(e *badger.Entry, restoration *consensuspb.Restoration) ([]byte, error) {
	p := &consensuspb.Entry{At: e.At.UnixNano(), From: e.From, Sequence: e.Sequence, Expire: e.Expire, Restoration: restoration}
	for i := range e.Transactions {
		p.Transactions = append(p.Transactions, encodeTransaction(&e.Transactions[i]))
	}
	return proto.Marshal(p)
}

func decodeEntry(data []byte, e *badger.Entry) (*consensuspb.Restoration, error) {
	var p consensuspb.Entry
	if err := proto.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("consensus: %w: an entry does not decode: %w", persistence.ErrInvalid, err)
	}
	e.At, e.From, e.Sequence, e.Expire = time.Unix(0, p.At), p.From, p.Sequence, p.Expire
	for _, t := range p.Transactions {
		e.Transactions = append(e.Transactions, decodeTransaction(t))
	}
	return p.Restoration, nil
}
