package clustertest

import (
	"bytes"
	"time"
)

// pipeCapacity is how many bytes one direction of a stream holds: what a sender
// may write before the receiver has read, and acknowledged, any of it.
const pipeCapacity = 256 << 10

// pipe is one direction of a stream. The Network's mutex guards it.
type pipe struct {
	net      *Network
	from, to *machine

	flight   []segment    // on the way; none overtakes the one before it
	arrived  bytes.Buffer // at the receiver, not read yet
	unacked  int          // bytes written and, as far as the sender knows, not read
	consumed int          // bytes read, but not acknowledged because the way back is cut

	killed bool // the sending process was killed; the receiver may not know yet
	ended  bool // all bytes and the sender's FIN have arrived
	reset  bool // the sender's RST has arrived
	unread bool // the receiver has closed: what still comes is thrown away
}

// segment is what one write put on the way.
type segment struct {
	data []byte
	fin  bool
	due  time.Time
}

func newPipe(from, to *machine, n *Network) *pipe {
	return &pipe{net: n, from: from, to: to}
}

// settle lets arrive what is due, unless the link is cut. Since the state of the
// pipe depends on time and faults alone, it is enough to do so whenever somebody
// looks, and before a fault changes.
func (p *pipe) settle(now time.Time) {
	if !p.net.blocked(p.from, p.to) {
		if p.killed {
			p.reset = true
			p.discard()
		}
		for len(p.flight) > 0 && !p.flight[0].due.After(now) {
			p.arrive(p.flight[0])
			p.flight = p.flight[1:]
		}
	}
	if !p.net.blocked(p.to, p.from) {
		p.unacked -= p.consumed
		p.consumed = 0
	}
}

func (p *pipe) arrive(s segment) {
	p.ended = p.ended || s.fin
	if !p.unread {
		p.arrived.Write(s.data)
	}
}

// next returns when something arrives, or zero if nothing does by itself.
func (p *pipe) next() time.Time {
	if len(p.flight) == 0 || p.net.blocked(p.from, p.to) {
		return time.Time{}
	}
	return p.flight[0].due
}

func (p *pipe) room() int { return pipeCapacity - p.unacked }

// send puts a copy of the data, or the FIN, on its way.
func (p *pipe) send(data []byte, fin bool, now time.Time) {
	s := segment{data: data, fin: fin, due: now.Add(p.net.streamLatency(p.from, p.to))}
	p.unacked += len(data)
	if len(p.flight) == 0 && !s.due.After(now) && !p.net.blocked(p.from, p.to) {
		p.arrive(s)
		return
	}
	s.data = bytes.Clone(data)
	p.flight = append(p.flight, s)
}

// receive reads what has arrived.
func (p *pipe) receive(b []byte, now time.Time) int {
	n, _ := p.arrived.Read(b) // its only error is that it is empty
	p.consumed += n
	p.settle(now)
	return n
}

func (p *pipe) discard() {
	p.flight = nil
	p.arrived = bytes.Buffer{}
}
