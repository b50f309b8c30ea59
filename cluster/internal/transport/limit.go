package transport

import (
	"fmt"

	"google.golang.org/grpc/metadata"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// Nodes may have another MaxMessage. They tell each other when a stream opens, and what the
// other node does not take is refused here: gRPC there would end the stream, and with it
// all that is under way.

// learn notes how large a message the other node takes. What was queued before that was
// known, and is too large, fails.
func (l *lane) learn(header metadata.MD) error {
	takes, err := maxMessageOf(header)
	if err != nil {
		return err
	}
	l.mu.Lock()
	known := l.takes
	l.takes = takes
	l.mu.Unlock()
	if known == 0 && takes > 0 && takes < l.peer.transport.cfg.MaxMessage {
		l.expel()
	}
	return nil
}

// expel gives up what is queued and too large for the other node. System envelopes, which
// have no mark in a frame, are calls.
func (l *lane) expel() {
	t := l.peer.transport
	var settle []func()
	l.mu.Lock()
	l.queue.remove(func(v *wire.View, size int) bool {
		limit := l.takes
		c := l.calls[v.ID]
		if c != nil && c.system {
			limit = max(limit, maxSystem)
		}
		if len(v.Payload) <= limit && size <= limit+envelopeOverhead {
			return false
		}
		refused := l.tooLarge(len(v.Payload), size, limit, t.cfg.MaxMessage)
		switch {
		case c != nil:
			l.forget(v.ID)
			settle = append(settle, func() { c.fail(refused) })
		case v.Kind == wire.Watch:
			if w := l.watches[v.ID]; w != nil {
				delete(l.watches, v.ID)
				settle = append(settle, func() { t.guard(func() { w.ended(nil, refused) }) })
			}
		case v.Kind == wire.Cast:
			to, message := string(v.To), string(v.Message)
			settle = append(settle, func() {
				t.guard(func() { t.cfg.Dropped(l.peer.node, to, message, refused) })
			})
		}
		return true
	})
	l.serve() // perhaps nothing is left that would be sent before
	l.mu.Unlock()
	for _, f := range settle {
		f()
	}
}

// refuses returns an error if the other node is known not to take e. The caller holds mu.
func (l *lane) refuses(e *wire.Envelope, size int) error {
	if l.takes == 0 || !exceeds(e, size, limitFor(e, l.takes)) {
		return nil
	}
	return l.tooLarge(len(e.Payload), size, limitFor(e, l.takes), limitFor(e, l.peer.transport.cfg.MaxMessage))
}

// tooLarge is the error for a message that the other node would not take.
func (l *lane) tooLarge(payload, size, theirs, own int) *Error {
	return l.peer.notSent(fmt.Errorf("%w (payload of %d bytes, all of %d; the limit is %d on node %s, and %d on this one)",
		ErrTooLarge, payload, size, theirs, l.peer.node, own))
}
