package transport

import (
	"sync"

	"github.com/troupe-go/troupe/cluster/internal/wire"
)

// window is how much of one sender's lane a full receiver may have waiting for it. What was
// under way when it became full comes on top.
const window = 256 << 10

// maxHolds is how many receivers that have room again a lane remembers, or as many as have
// none, if these are more.
const maxHolds = 1024

// hold is what a lane knows of a receiver that has been full. Inbound.mu guards it.
type hold struct {
	receiver
	total uint64 // of what the sender has counted, and has come
	held  uint64 // waits for room now
	told  uint64 // up to where the sender may go
	due   bool   // in Inbound.due
}

// upTo is where the sender may go by now.
func (h *hold) upTo() uint64 {
	if all := h.total + window; all > h.held {
		return all - h.held
	}
	return 0
}

// Holds reports whether the node that sends can be told of a receiver that is full.
func (in *Inbound) Holds() bool { return hasLimits(in.spoken) }

// Hold says that a cast with so many bytes of payload, from this stream, has to wait for
// room at its receiver, until release is called, once. The sender is told to send that
// receiver no more than the handler can keep, unless it has been told of as many as it
// remembers. Needs Holds. It never blocks.
func (in *Inbound) Hold(to string, uid uint64, payload int) (release func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	r := receiver{to, uid}
	h := in.holds[r]
	size := uint64(spent(payload))
	if h == nil {
		in.forgetHolds()
		if len(in.holds) >= maxAllowances {
			return func() {}
		}
		h = &hold{receiver: r, held: size}
		if in.holds == nil {
			in.holds = make(map[receiver]*hold)
		}
		in.holds[r] = h
		in.tellRoom(h)
	} else {
		h.held += size
	}
	return sync.OnceFunc(func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		h.held -= size
		in.mayTellRoom(h)
	})
}

// forgetHolds forgets the receivers that have room, after many others.
func (in *Inbound) forgetHolds() {
	if in.forgetIn--; in.forgetIn > 0 {
		return
	}
	for r, h := range in.holds {
		if h.held == 0 {
			delete(in.holds, r)
			in.pushRoom(r, unlimited)
		}
	}
	in.forgetIn = max(maxHolds, len(in.holds))
}

// counted notes a cast to a receiver that has been full. It is called before the handler.
// A sender begins anew with each stream, and when its bound was taken back, but what it has
// queued by then still has the totals of before. They are beyond what it was told since.
func (in *Inbound) counted(v *wire.View) {
	in.mu.Lock()
	defer in.mu.Unlock()
	h := in.holds[receiver{string(v.To), v.UID}]
	if h == nil {
		return // forgotten: the sender will know soon
	}
	if v.Total >= h.told+uint64(spent(len(v.Payload))) {
		return
	}
	h.total = v.Total
	if !h.due {
		h.due = true
		in.due = append(in.due, h)
	}
}

// tellDue tells the sender of the room at those whom it has just sent something. The caller
// holds mu.
func (in *Inbound) tellDue() {
	for i, h := range in.due {
		h.due, in.due[i] = false, nil
		in.mayTellRoom(h)
	}
	in.due = in.due[:0]
}

// mayTellRoom tells the sender if that is worth it. When nothing is held it gets all, so
// that it never waits for what nobody will say. The caller holds mu.
func (in *Inbound) mayTellRoom(h *hold) {
	if in.holds[h.receiver] != h {
		return // forgotten
	}
	upTo := h.upTo()
	if upTo >= h.told+window/4 || h.held == 0 && upTo > h.told {
		in.tellRoom(h)
	}
}

func (in *Inbound) tellRoom(h *hold) {
	h.told = h.upTo()
	in.pushRoom(h.receiver, h.told)
}

func (in *Inbound) pushRoom(r receiver, upTo uint64) {
	e := wire.Envelope{Kind: wire.Room, To: r.to, UID: r.uid, Total: upTo}
	in.push(&e, wire.Size(&e))
}
