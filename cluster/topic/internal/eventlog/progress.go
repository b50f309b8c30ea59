package eventlog

import (
	"encoding/binary"
	"math"
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
// n-1 times, and to be delivered.
type run struct{ length, state uint64 }

const (
	stateDone  = 0
	stateFresh = 1
)

// appendRun adds to the last run where that is the same.
func appendRun(runs []run, length, state uint64) []run {
	if length == 0 {
		return runs
	}
	if n := len(runs); n > 0 && runs[n-1].state == state {
		runs[n-1].length += length
		return runs
	}
	return append(runs, run{length, state})
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
	}
	return b
}

func decodeProgress(data []byte) (progress, error) {
	d := decoder{data: data}
	d.version(progressVersion)
	var p progress
	if clean := d.bytes(1); d.err == nil {
		p.clean = clean[0] == 1
		if clean[0] > 1 {
			d.fail()
		}
	}
	p.position, p.reserved = Offset(d.uvarint()), Offset(d.uvarint())
	p.counters = counters{d.uvarint(), d.uvarint(), d.uvarint()}
	if p.position == 0 {
		d.fail()
	}
	n := d.count(2)
	end := uint64(p.position)
	for range n {
		r := run{d.uvarint(), d.uvarint()}
		if r.length > math.MaxUint64-end || r.state > math.MaxInt32 {
			d.fail()
		}
		end += r.length
		p.runs = appendRun(p.runs, r.length, r.state)
	}
	return p, d.end()
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
		runs = appendRun(runs, open, r.state+1)
		runs = appendRun(runs, r.length-open, r.state)
		at += Offset(r.length)
	}
	if at < p.reserved {
		runs = appendRun(runs, uint64(p.reserved-at), stateFresh+1)
	}
	return runs
}
