package topic

import (
	"bytes"
	"context"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// interestChanged is called with the lock when the number of subscriptions for an
// interest has. Others are told if that means something to them: at lone subscriptions
// without a group, and always with one.
func (x *extension) interestChanged(i interest, lone int) {
	x.renew()
	if x.left || i.group == "" && x.own[i] != lone {
		return
	}
	x.changed = true
	if !x.announces {
		x.announces = true
		x.running.Go(x.announce)
	}
}

// announce tells the others what this node wants, until it has told them everything.
func (x *extension) announce() {
	for {
		x.mu.Lock()
		r := x.round
		x.round, x.pending = nil, 0
		if !x.changed || x.left {
			x.announces = false
			x.mu.Unlock()
			r.end(errLeft(x.node))
			return
		}
		x.changed = false
		text := x.own.encode()
		x.mu.Unlock()
		err := x.node.Announce(extensionName, text)
		if err != nil {
			x.node.Logger().Error("other nodes were not told which topics are subscribed to", "error", err)
		}
		r.end(err)
	}
}

// round is one announcement, for subscriptions that may be too many for it.
type round struct {
	done chan struct{} // closed when err is set
	err  error
}

func newRound() *round { return &round{done: make(chan struct{})} }

// end tells what became of it. It may be called on nil.
func (r *round) end(err error) {
	if r != nil {
		r.err = err
		close(r.done)
	}
}

// await returns why a subscription cannot be announced. It may be called on nil.
func (r *round) await(ctx context.Context, to string) error {
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return ended(ctx, "nothing subscribed to %q: other nodes have not been told yet", to)
	}
	switch {
	case actor.CodeOf(r.err) == actor.ResourceExhausted:
		return refusal(actor.ResourceExhausted, "nothing subscribed to %q: use wildcards, or serve less: %v", to, r.err)
	case r.err != nil:
		return r.err
	}
	return nil
}

// announcement is what another node has announced.
type announcement struct {
	text    []byte
	entries []*entry
}

// learn takes what the others have announced, if that has changed. The caller holds the
// lock.
func (x *extension) learn(latest *cluster.Announcements) {
	if x.announced == latest {
		return
	}
	x.announced = latest
	gone := make(map[string]bool, len(x.others))
	for node := range x.others {
		gone[node] = true
	}
	for node, text := range latest.All() {
		delete(gone, node)
		if known := x.others[node]; known == nil || !bytes.Equal(known.text, text) {
			x.forget(node)
			x.note(node, text)
		}
	}
	for node := range gone {
		x.forget(node)
	}
}

func (x *extension) note(node string, text []byte) {
	all, err := decodeInterests(text)
	if err != nil {
		x.node.Logger().Warn("a node announced subscriptions that cannot be read", "peer", node, "error", err)
	}
	a := &announcement{text: text}
	for i, members := range all {
		e := &entry{node: node, pattern: i.pattern, group: i.group, members: members}
		a.entries = append(a.entries, e)
		x.entries.add(i.pattern, e)
	}
	x.others[node] = a
}

func (x *extension) forget(node string) {
	if a := x.others[node]; a != nil {
		for _, e := range a.entries {
			x.entries.remove(e.pattern, e)
		}
		delete(x.others, node)
	}
}
