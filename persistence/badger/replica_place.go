package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/troupe-go/troupe/persistence"
)

// place is where a replica is in its log. It is written together with the changes. An
// entry can take several of Badger's transactions; then it also says how much of it is
// done, so that an entry that a crash has cut in two is completed, not begun again.
type place struct {
	index uint64 // of the last entry that is complete
	at    int64  // the time, in ns since 1970; never goes back
	open  uint64 // the entry after it, if that has begun; or 0
	done  []Outcome
}

func (p *place) begin(e *Entry) {
	if p.open != e.Index {
		p.open, p.done = e.Index, nil
	}
	p.at = max(p.at, e.At.UnixNano())
}

func (p *place) end() []Outcome {
	outcomes := p.done
	p.index, p.open, p.done = p.open, 0, nil
	return outcomes
}

// proposal is what is remembered of a proposer.
type proposal struct {
	sequence uint64
	at       int64
	outcomes []Outcome
}

const placeFormat = 1

func (p *place) encode() []byte {
	b := binary.AppendUvarint([]byte{placeFormat}, p.index)
	b = binary.AppendUvarint(b, uint64(p.at))
	b = binary.AppendUvarint(b, p.open)
	return appendSum(appendOutcomes(b, p.done))
}

func (p *place) decode(data []byte) error {
	return decodeSummed(data, func(d *decoder) {
		*p = place{index: d.uvarint(), at: int64(d.uvarint()), open: d.uvarint(), done: d.outcomes()}
	})
}

func (p *proposal) encode() []byte {
	b := binary.AppendUvarint([]byte{placeFormat}, p.sequence)
	b = binary.AppendUvarint(b, uint64(p.at))
	return appendSum(appendOutcomes(b, p.outcomes))
}

func (p *proposal) decode(data []byte) error {
	return decodeSummed(data, func(d *decoder) {
		*p = proposal{sequence: d.uvarint(), at: int64(d.uvarint()), outcomes: d.outcomes()}
	})
}

func decodeSummed(data []byte, read func(*decoder)) error {
	if len(data) < 5 {
		return fmt.Errorf("%w place in the log", errMalformed)
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(data[len(body):]) {
		return errors.New("place in the log has a wrong checksum")
	}
	d := decoder{rest: body}
	if d.byte() != placeFormat {
		d.failed = true
	}
	read(&d)
	if d.failed || len(d.rest) > 0 {
		return fmt.Errorf("%w place in the log", errMalformed)
	}
	return nil
}

// An outcome is the revision plus some, or which error it was. Its text is not kept.
const (
	outcomeConflict = iota
	outcomeInvalid
	outcomeRevision
)

func appendOutcomes(b []byte, outcomes []Outcome) []byte {
	b = binary.AppendUvarint(b, uint64(len(outcomes)))
	for _, o := range outcomes {
		code := outcomeRevision + uint64(o.Revision)
		switch {
		case errors.Is(o.Err, persistence.ErrConflict):
			code = outcomeConflict
		case o.Err != nil:
			code = outcomeInvalid
		}
		b = binary.AppendUvarint(b, code)
	}
	return b
}

func (d *decoder) outcomes() []Outcome {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	out := make([]Outcome, n)
	for i := range out {
		switch code := d.uvarint(); code {
		case outcomeConflict:
			out[i].Err = fmt.Errorf("badger: %w", persistence.ErrConflict)
		case outcomeInvalid:
			out[i].Err = fmt.Errorf("badger: %w", persistence.ErrInvalid)
		default:
			out[i].Revision = persistence.Revision(code - outcomeRevision)
		}
	}
	return out
}
