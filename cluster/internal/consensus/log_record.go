package consensus

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

func encodeLogRecord(e *raft.Log) ([]byte, error) {
	r := &consensuspb.LogRecord{Term: e.Term, Type: uint32(e.Type), Data: e.Data, Extensions: e.Extensions}
	if !e.AppendedAt.IsZero() {
		r.Appended = e.AppendedAt.UnixNano()
	}
	return proto.Marshal(r)
}

func decodeLogRecord(index uint64, data []byte) (raft.Log, error) {
	var r consensuspb.LogRecord
	if err := proto.Unmarshal(data, &r); err != nil {
		return raft.Log{}, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	e := raft.Log{Index: index, Term: r.Term, Type: raft.LogType(r.Type), Data: r.Data, Extensions: r.Extensions}
	if r.Appended != 0 {
		e.AppendedAt = time.Unix(0, r.Appended)
	}
	return e, checkEntry(&e)
}
