package transport

import (
	"google.golang.org/grpc/mem"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

const (
	// batchBytes is where a batch ends and the next begins. A thousand messages
	// to a frame is enough to make the frame's own cost vanish.
	batchBytes = 256 << 10
	// ackBytes is the most that wire.AppendAcked adds.
	ackBytes = 11
)

// A batch is one frame on its way: envelopes encoded one after another.
type batch struct {
	data    *[]byte
	count   int        // envelopes in it
	first   uint64     // the lane's number of its first envelope, 0 if not counted
	last    uint64     // likewise of its last
	end     uint64     // the stream's running total of envelopes after it
	patient int        // bytes whose senders could wait
	buf     mem.Buffer // holds data once sealed; nil before
}

// seal gives the memory over to reference counting: one reference is the
// caller's, gRPC takes its own.
func (b *batch) seal(p *buffers) {
	if b.buf == nil {
		b.buf = mem.NewBuffer(b.data, p)
	}
}

func (b *batch) size() int { return len(*b.data) }

// A queue gathers envelopes into batches. Its owner's lock guards it.
type queue struct {
	buffers *buffers
	batches []*batch
	bytes   int
	patient int // of these, whose senders could wait
}

// append encodes e, of the given size, as the envelope with the number seq.
func (q *queue) append(e *wire.Envelope, size int, seq uint64) {
	var b *batch
	if n := len(q.batches); n > 0 {
		b = q.batches[n-1]
	}
	if b == nil || b.buf != nil || b.size()+size > batchBytes {
		b = &batch{data: q.buffers.Get(size + ackBytes)}
		q.batches = append(q.batches, b)
	}
	if need := b.size() + size + ackBytes; need > cap(*b.data) {
		larger := q.buffers.Get(need)
		*larger = append(*larger, *b.data...)
		q.buffers.Put(b.data)
		b.data = larger
	}
	*b.data = wire.AppendEnvelope(*b.data, e)
	if b.count++; b.count == 1 {
		b.first = seq
	}
	b.last = seq
	q.bytes += size
}

// markPatient says that the sender of the last size bytes could wait for room.
func (q *queue) markPatient(size int) {
	q.batches[len(q.batches)-1].patient += size
	q.patient += size
}

// remove takes the envelopes that match out of batches that were never sent. match must keep
// nothing of its View.
func (q *queue) remove(match func(v *wire.View, size int) bool) {
	all := q.batches
	q.batches = nil
	for _, b := range all {
		data, kept := *b.data, (*b.data)[:0]
		frame := wire.Parse(data)
		var v wire.View
		for left := len(data); frame.Next(&v); left = frame.Len() {
			raw := data[len(data)-left : len(data)-frame.Len()]
			if match(&v, len(raw)) {
				b.count--
				q.bytes -= len(raw)
			} else {
				kept = append(kept, raw...)
			}
		}
		*b.data = kept
		if b.count == 0 {
			q.patient -= b.patient
			q.buffers.Put(b.data)
		} else {
			q.batches = append(q.batches, b)
		}
	}
}

// pop takes the oldest batch out; nil if there is none.
func (q *queue) pop() *batch {
	if len(q.batches) == 0 {
		return nil
	}
	b := q.batches[0]
	n := copy(q.batches, q.batches[1:])
	q.batches[n] = nil
	q.batches = q.batches[:n]
	q.bytes -= b.size()
	q.patient -= b.patient
	return b
}

// unpop puts back what pop took.
func (q *queue) unpop(b *batch) {
	q.batches = append(q.batches, nil)
	copy(q.batches[1:], q.batches)
	q.batches[0] = b
	q.bytes += b.size()
	q.patient += b.patient
}

// popAll empties the queue.
func (q *queue) popAll() []*batch {
	all := q.batches
	q.batches, q.bytes, q.patient = nil, 0, 0
	return all
}
