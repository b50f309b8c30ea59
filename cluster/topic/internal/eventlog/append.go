package eventlog

import (
	"context"

	"github.com/troupe-go/troupe/actor"
)

// maxQueued is how many bytes may wait to be appended.
const maxQueued = 4 << 20

// call is one of Append.
type call struct {
	encoded    [][]byte
	identities []identity // zero for an event without an ID
	size       int
	offsets    []Offset
	finished   bool
	err        error
	done       chan struct{}
}

// finish tells whoever waits; the first time counts. It is called with the lock.
func (c *call) finish(err error) {
	if !c.finished {
		c.finished, c.err = true, err
		close(c.done)
	}
}

// Append stores events and returns their offsets. It stores all of them or none, and
// each ID once: an event whose ID is known has the offset that it got before. When it
// returns without an error they are durable. Calls at the same time share a transaction.
//
// The error is [ErrFull] where the log is at its limits, [ErrFenced] and [ErrClosed]
// where the partition has ended, InvalidArgument for events that are too large, and
// else that of the store or of ctx. It is NotRun, see package actor, if nothing was
// stored and will be.
func (l *Log) Append(ctx context.Context, events []Event) ([]Offset, error) {
	c, err := newCall(events)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	p := l.p
	if l != p.Events {
		return nil, invalid("dead letters are appended by their groups only")
	}
	p.mu.Lock()
	switch {
	case p.err != nil:
		err = ended(p.err)
	case p.closing:
		err = ended(ErrClosed)
	case p.queued+c.size > maxQueued:
		err = notRun(ErrFull.Code, "%w: %d KiB wait to be stored already; slow down", ErrFull, p.queued>>10)
	default:
		p.enqueue(c)
	}
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		p.mu.Lock()
		withdrawn := p.withdraw(c)
		p.mu.Unlock()
		if withdrawn {
			return nil, notRun(actor.CodeOf(ctx.Err()), "nothing was appended: %w", context.Cause(ctx))
		}
		select {
		case <-c.done:
		default:
			return nil, unknown(actor.CodeOf(ctx.Err()), context.Cause(ctx))
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.offsets, nil
}

// newCall encodes events, of which nothing is kept.
func newCall(events []Event) (*call, error) {
	c := &call{
		encoded:    make([][]byte, len(events)),
		identities: make([]identity, len(events)),
		offsets:    make([]Offset, len(events)),
		done:       make(chan struct{}),
	}
	size := 0
	for i := range events {
		size += len(events[i].Payload) + len(events[i].ID) + len(events[i].Key) + 64
	}
	if size > 2*MaxEventSize {
		return nil, invalid("events of about %d bytes; at most %d are appended at a time: split them", size, MaxEventSize)
	}
	b := make([]byte, 0, size)
	for i := range events {
		e := events[i]
		e.Dead = nil
		if len(e.ID) > MaxKeySize || len(e.Key) > MaxKeySize {
			return nil, invalid("event %d has an ID of %d bytes and a key of %d; at most %d are allowed", i, len(e.ID), len(e.Key), MaxKeySize)
		}
		if e.ID != "" {
			c.identities[i] = identityOf(e.ID)
		}
		start := len(b)
		b = appendEvent(b, &e)
		c.encoded[i] = b[start:len(b):len(b)]
		c.size += len(b) - start
	}
	if c.size > MaxEventSize {
		return nil, invalid("events of %d bytes; at most %d are appended at a time: split them", c.size, MaxEventSize)
	}
	return c, nil
}

// enqueue lets c wait for a transaction. It is called with the lock.
func (p *Partition) enqueue(c *call) {
	p.calls = append(p.calls, c)
	p.queued += c.size
	p.pace.arrived(len(c.encoded))
	p.kick()
}

// withdraw takes c out of the queue, and reports whether it was there.
func (p *Partition) withdraw(c *call) bool {
	for i, other := range p.calls {
		if other == c {
			p.calls = append(p.calls[:i], p.calls[i+1:]...)
			p.queued -= c.size
			p.pace.waiting -= len(c.encoded)
			return true
		}
	}
	return false
}
