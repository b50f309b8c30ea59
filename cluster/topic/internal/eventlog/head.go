package eventlog

import (
	"encoding/binary"

	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog/internal/record"
	"github.com/troupe-go/troupe/persistence"
)

const (
	headKey = "head"
	// headVersion is that of the whole partition: a head of another major is not replaced.
	headVersion = 1
)

// head is the record that every transaction replaces.
type head struct {
	epoch  persistence.Revision
	writer uint64 // drawn by whoever opened the partition
	number uint64 // of the transaction, by its writer
	time   int64  // of the latest events, in ns since 1970
	logs   [2]extent
}

// The logs of a partition.
const (
	eventLog = iota
	deadLog
)

// extent says what a log has.
type extent struct {
	first Offset // that may be read; what is before it goes
	next  Offset // that will be given to an event
	bytes uint64 // of all blocks that are there
}

func (h *head) encode() []byte {
	b := []byte{headVersion}
	for _, v := range []uint64{uint64(h.epoch), h.writer, h.number, uint64(h.time)} {
		b = binary.AppendUvarint(b, v)
	}
	for _, x := range h.logs {
		b = binary.AppendUvarint(b, uint64(x.first))
		b = binary.AppendUvarint(b, uint64(x.next))
		b = binary.AppendUvarint(b, x.bytes)
	}
	return b
}

func decodeHead(data []byte) (head, error) {
	d := record.NewDecoder(data)
	d.Version(headVersion)
	h := head{epoch: persistence.Revision(d.Uvarint()), writer: d.Uvarint(), number: d.Uvarint(), time: int64(d.Uvarint())}
	for i := range h.logs {
		x := extent{Offset(d.Uvarint()), Offset(d.Uvarint()), d.Uvarint()}
		if x.first == 0 || x.next < x.first {
			d.Fail()
		}
		h.logs[i] = x
	}
	return h, d.End()
}
