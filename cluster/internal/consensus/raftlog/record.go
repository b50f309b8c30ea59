package raftlog

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

func encodeRecord(e *raft.Log) ([]byte, error) {
	r := &consensuspb.LogRecord{Term: e.Term, Type: uint32(e.Type), Data: e.Data, Extensions: e.Extensions}
	if !e.AppendedAt.IsZero() {
		r.Appended = e.AppendedAt.UnixNano()
	}
	return proto.Marshal(r)
}

func decodeRecord(index uint64, data []byte) (raft.Log, error) {
	var r consensuspb.LogRecord
	if err := proto.Unmarshal(data, &r); err != nil {
		return raft.Log{}, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	e := raft.Log{Index: index, Term: r.Term, Type: raft.LogType(r.Type), Data: r.Data, Extensions: r.Extensions}
	if r.Appended != 0 {
		e.AppendedAt = time.Unix(0, r.Appended)
	}
	return e, CheckEntry(&e)
}

// CheckEntry returns an error for an entry that would make raft panic.
func CheckEntry(e *raft.Log) error {
	switch e.Type {
	case raft.LogCommand, raft.LogNoop, raft.LogBarrier:
		return nil
	case raft.LogConfiguration:
		_, err := DecodeConfiguration(e.Data)
		return err
	}
	return fmt.Errorf("consensus: an entry of type %d", e.Type)
}

// DecodeConfiguration is raft's, without a panic.
func DecodeConfiguration(data []byte) (c raft.Configuration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("consensus: %v", p)
		}
	}()
	return raft.DecodeConfiguration(data), nil
}
