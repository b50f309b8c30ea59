package gossip

import "sync"

const (
	// largestBroadcast is the longest encoded catalog that travels in gossip
	// packets. Beside it a packet has room for the longest label, encryption
	// and framing.
	largestBroadcast = packetSize - MaxClusterLen - 64

	// maxSenders bounds the catalogs sent over streams at once.
	maxSenders = 4
)

// disseminator spreads catalogs: small ones as an epidemic in gossip packets,
// the own one, when it is large, to each member. It calls nobody with its lock
// held.
type disseminator struct {
	queue   broadcastQueue
	deliver func(name string) // sends the own catalog to one member

	mu      sync.Mutex
	closed  bool
	pending map[string]struct{} // members that the own catalog must be sent to
	senders int
	wg      sync.WaitGroup
}

func newDisseminator(mult int, deliver func(name string)) *disseminator {
	return &disseminator{
		queue:   broadcastQueue{mult: mult, members: 1},
		deliver: deliver,
		pending: make(map[string]struct{}),
	}
}

// fits reports whether the catalog can be broadcast.
func (d *disseminator) fits(c catalog) bool { return len(c.wire) <= largestBroadcast }

// broadcast passes a catalog on with the next gossip packets. One that does not
// fit is ignored.
func (d *disseminator) broadcast(c catalog) {
	if d.fits(c) {
		d.queue.add(c)
	}
}

// send has the own catalog delivered to the named members, soon and once.
func (d *disseminator) send(names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	for _, name := range names {
		d.pending[name] = struct{}{}
		if d.senders < maxSenders {
			d.senders++
			d.wg.Go(d.sendPending)
		}
	}
}

func (d *disseminator) sendPending() {
	for {
		name, ok := d.nextPending()
		if !ok {
			return
		}
		d.deliver(name)
	}
}

func (d *disseminator) nextPending() (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		for name := range d.pending {
			delete(d.pending, name)
			return name, true
		}
	}
	d.senders--
	return "", false
}

// close drops what waits. wait then returns after the last delivery.
func (d *disseminator) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

func (d *disseminator) wait() { d.wg.Wait() }
