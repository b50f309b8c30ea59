package raftlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// Set implements [raft.StableStore].
func (l *Log) Set(key, value []byte) error {
	name := stablePrefix + string(key)
	l.mu.Lock()
	present, ok := l.stable[name]
	l.mu.Unlock()
	if ok && string(present) == string(value) {
		return nil
	}
	value = append([]byte{}, value...)
	t := persistence.Transaction{Then: []persistence.Change{{Key: name, Value: value}}}
	if err := l.commit(t); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stable[name] = value
	return nil
}

// Get implements [raft.StableStore]; there is nothing, and no error, if key was never set.
func (l *Log) Get(key []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stable[stablePrefix+string(key)], nil
}

// SetUint64 implements [raft.StableStore]. It returns no error: raft is stopped instead.
func (l *Log) SetUint64(key []byte, n uint64) error {
	if err := l.Set(key, binary.BigEndian.AppendUint64(nil, n)); err != nil {
		l.failed(fmt.Errorf("consensus: writing %s of the log: %w", key, err))
	}
	return nil
}

// GetUint64 implements [raft.StableStore]; 0 if key was never set.
func (l *Log) GetUint64(key []byte) (uint64, error) {
	value, err := l.Get(key)
	switch {
	case err != nil || value == nil:
		return 0, err
	case len(value) != 8:
		return 0, fmt.Errorf("consensus: %w: %s of the log has %d bytes", persistence.ErrCorrupt, key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// Marker returns that of the latest snapshot, or nil.
func (l *Log) Marker(ctx context.Context) (*consensuspb.Marker, error) {
	r, err := l.store.Get(ctx, markerKey)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, nil
	}
	m := new(consensuspb.Marker)
	if err == nil {
		err = proto.Unmarshal(r.Value, m)
	}
	if err != nil {
		return nil, fmt.Errorf("consensus: reading the marker of the log: %w", err)
	}
	return m, nil
}

// SetMarker keeps that of a snapshot which is complete.
func (l *Log) SetMarker(m *consensuspb.Marker) error {
	data, err := proto.Marshal(m)
	if err == nil {
		err = l.commit(persistence.Transaction{Then: []persistence.Change{{Key: markerKey, Value: data}}})
	}
	return err
}
