package clustertest

import "time"

// Partition splits the network into the given groups of host names, in place of
// an earlier partition. Hosts of different groups cannot reach each other; those
// that are not named form a group of their own. Streams between the groups stall
// until the network heals, dials wait, packets vanish.
func (n *Network) Partition(groups ...[]string) {
	n.disturb(func() {
		for _, m := range n.machines {
			m.group = 0
		}
		for i, names := range groups {
			for _, name := range names {
				n.machine(name).group = i + 1
			}
		}
	})
}

// Cut drops all that goes from one host to another; the way back stays open. A
// stream needs both ways in the end: a receiver cannot acknowledge over a cut way,
// so that its sender gets no further than the stream holds.
func (n *Network) Cut(from, to string) {
	n.disturb(func() { n.cuts[route{n.machine(from), n.machine(to)}] = true })
}

// Heal ends every partition and cut. Stalled streams go on at once.
func (n *Network) Heal() {
	n.disturb(func() {
		clear(n.cuts)
		for _, m := range n.machines {
			m.group = 0
		}
	})
}

// calm ends every fault of the network and of the processes that live.
func (n *Network) calm() {
	n.Heal()
	n.SetDelay(0, 0)
	n.SetLoss(0)
	n.disturb(func() {
		for _, m := range n.machines {
			if m.process != nil {
				m.process.frozen = false
			}
		}
	})
}

// SetDelay makes each packet and each write to a stream take a time from min to
// max from now on; zero, the default, is no delay. Packets may overtake each
// other, bytes of a stream do not. Dialing takes a way there and a way back.
// Negative times count as zero, and a max below min as min.
func (n *Network) SetDelay(min, max time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if min < 0 {
		min = 0
	}
	if max < min {
		max = min
	}
	n.minDelay, n.maxDelay = min, max
}

// SetLoss makes each packet vanish with this probability from now on; 0 is the
// default, and values beyond 0 and 1 count as those. Streams lose nothing, but
// what is lost has to be sent again, 200 ms later at first.
func (n *Network) SetLoss(probability float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = min(max(probability, 0), 1)
}

// Crash ends the process as SIGKILL does: what it has open is closed, its peers
// find their streams reset at once (behind a cut, as soon as it heals), and bytes
// that they have not read are gone. The Host stays dead: what is left of the
// node's goroutines gets net.ErrClosed. [Network.Host] starts the next process of
// the machine.
func (h *Host) Crash() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.kill()
}

// Freeze stops the process as SIGSTOP does, as far as the network can tell: its
// calls wait, also for what has arrived, until Thaw or their deadline. Its kernel
// goes on: peers can connect and send until the buffers are full.
func (h *Host) Freeze() { h.setFrozen(true) }

// Thaw lets a frozen process go on.
func (h *Host) Thaw() { h.setFrozen(false) }

func (h *Host) setFrozen(frozen bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.frozen = frozen
	h.wake()
}

// disturb changes which links are cut. What is due arrives before, and everybody
// looks again after.
func (n *Network) disturb(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for _, m := range n.machines {
		if m.process != nil {
			for c := range m.process.conns {
				c.in.settle(now)
			}
		}
	}
	change()
	n.changed.broadcast()
	for _, m := range n.machines {
		if m.process != nil {
			m.process.wake()
		}
	}
}

// wake makes every call in progress of the process look again.
func (h *Host) wake() {
	h.thawed.broadcast()
	for c := range h.conns {
		c.changed.broadcast()
	}
	for _, l := range h.listeners {
		l.ready.broadcast()
	}
	for _, p := range h.packets {
		p.changed.broadcast()
	}
}

func (h *Host) kill() {
	if h.dead {
		return
	}
	h.dead = true
	if h.machine.process == h {
		h.machine.process = nil
	}
	for _, l := range h.listeners {
		l.close()
	}
	for _, p := range h.packets {
		p.close()
	}
	for c := range h.conns {
		c.abort()
	}
	h.thawed.broadcast()
	h.net.changed.broadcast()
}
