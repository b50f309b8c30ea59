package eventlog

import (
	"encoding/binary"
	"math"

	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog/internal/record"
)

const progressVersion = 1

// progress is what is kept of a group.
type progress struct {
	position Offset // the group is done with all before it
	reserved Offset // those before it may have been delivered
	clean    bool   // nothing has been since: the runs say it all
	runs     []run  // from position on
	counters counters
}

// counters are over all times.
type counters struct{ redelivered, dead, missed uint64 }

// run is a number of events in a row in the same state: 0 is done with; n is delivered
// n-1 times, and to be delivered. Of these deliveries, so many have failed.
type run struct{ length, state, failed uint64 }

const (
	stateDone  = 0
	stateFresh = 1
)

// appendRun adds to the last run where that is the same.
func appendRun(runs []run, r run) []run {
	if r.length == 0 {
		return runs
	}
	if n := len(runs); n > 0 && runs[n-1].state == r.state && runs[n-1].failed == r.failed {
		runs[n-1].length += r.length
		return runs
	}
	return append(runs, r)
}

func (p *progress) encode() []byte {
	b := []byte{progressVersion, 0}
	if p.clean {
		b[1] = 1
	}
	for _, v := range []uint64{uint64(p.position), uint64(p.reserved), p.counters.redelivered, p.counters.dead, p.counters.missed} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(p.runs)))
	for _, r := range p.runs {
		b = binary.AppendUvarint(b, r.length)
		b = binary.AppendUvarint(b, r.state)
		if r.state != stateDone {
			b = binary.AppendUvarint(b, r.failed)
		}
	}
	return b
}

func decodeProgress(data []byte) (progress, error) {
	d := record.NewDecoder(data)
	d.Version(progressVersion)
	var p progress
	if clean := d.Bytes(1); d.Err() == nil {
		p.clean = clean[0] == 1
		if clean[0] > 1 {
			d.Fail()
		}
	}
	p.position, p.reserved = Offset(d.Uvarint()), Offset(d.Uvarint())
	p.counters = counters{d.Uvarint(), d.Uvarint(), d.Uvarint()}
	if p.position == 0 {
		d.Fail()
	}
	n := d.Count(2)
	end := uint64(p.position)
	for range n {
		r := run{length: d.Uvarint(), state: d.Uvarint()}
		if r.state != stateDone {
			r.failed = d.Uvarint()
		}
		if r.length > math.MaxUint64-end || r.state > math.MaxInt32 || r.failed > r.state {
			d.Fail()
		}
		end += r.length
		p.runs = appendRun(p.runs, r)
	}
	return p, d.End()
}

// recovered returns the runs as they have to be taken after a crash: what was not done
// with, and may have been delivered, has been delivered once more.
func (p *progress) recovered() []run {
	if p.clean {
		return p.runs
	}
	var runs []run
	at := p.position
	for _, r := range p.runs {
		open := min(r.length, uint64(max(p.reserved, at)-at)) // of it, before reserved
		if r.state == stateDone {
			open = 0
		}
		runs = appendRun(runs, run{open, r.state + 1, r.failed})
		runs = appendRun(runs, run{r.length - open, r.state, r.failed})
		at += Offset(r.length)
	}
	if at < p.reserved {
		runs = appendRun(runs, run{length: uint64(p.reserved - at), state: stateFresh + 1})
	}
	return runs
}
