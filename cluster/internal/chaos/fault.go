package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Target is a cluster that can be harmed. Nodes are numbered from 0.
type Target interface {
	Nodes() int
	// Leader returns the node that leads the core, or -1. It is asked while all run.
	Leader() int
	// AwaitVoters waits until the core has all the voters it should, while all run.
	AwaitVoters()
	// Cut loses what one node sends to another, Heal ends all cuts.
	Cut(from, to int)
	Heal()
	// Kill ends a node as SIGKILL does, Leave as SIGTERM does, and Restart starts it
	// again.
	Kill(node int)
	Leave(node int)
	Restart(node int)
	// Wipe removes all files of a node that has ended.
	Wipe(node int)
	// Pause stops a node as SIGSTOP does, and Resume lets it go on.
	Pause(node int)
	Resume(node int)
	// CanHang is whether Hang works here. Hang delays each sync of a node's disk by
	// longer than any fault lasts, until Unhang.
	CanHang() bool
	Hang(node int)
	Unhang(node int)
}

// fault does harm, and returns what takes it back, if anything has to be. What it leaves
// apart it takes back by itself, or heal does.
type fault struct {
	name string
	// needs is how long it takes by itself; it does not begin later than that before
	// the end.
	needs time.Duration
	harm  func(h *harm) (what string, heal func())
}

// harm is one fault under way.
type harm struct {
	Target
	*rand.Rand
	ctx   context.Context
	apart *apart
}

// leader returns the node that leads, or any.
func (h *harm) leader() int {
	if leader := h.Leader(); leader >= 0 {
		return leader
	}
	return h.IntN(h.Nodes())
}

func (h *harm) others(node int) (out []int) {
	for i := range h.Nodes() {
		if i != node {
			out = append(out, i)
		}
	}
	return out
}

// cut cuts two sides from each other. Those of the smaller one, or of both if neither
// has a majority of all nodes, are apart.
func (h *harm) cut(a, b []int) {
	for _, side := range [][]int{a, b} {
		if len(side) <= h.Nodes()/2 {
			h.apart.begin(side...)
		}
	}
	for _, i := range a {
		for _, j := range b {
			h.Cut(i, j)
			h.Cut(j, i)
		}
	}
}

// restart starts a node again, which is apart until then.
func (h *harm) restart(node int) {
	h.Restart(node)
	h.apart.end(node)
}

// healed ends all cuts.
func (h *harm) healed() {
	h.Heal()
	h.apart.endAll()
}

// copying is how long a voter that has lost its disk may take until the core has
// replaced it: the disks of all others must stay until then.
const copying = 30 * time.Second

func faults(t Target) []fault {
	all := slices.Concat(cuts(), deaths(), restarts())
	if t.CanHang() {
		all = append(all, fault{"the leader's disk hangs", 0, func(h *harm) (string, func()) {
			victim := h.leader()
			h.Hang(victim)
			return fmt.Sprint(victim), func() { h.Unhang(victim) }
		}})
	}
	return all
}

// cuts are of the network.
func cuts() []fault {
	return []fault{
		{"split in halves", 0, func(h *harm) (string, func()) {
			order := h.Perm(h.Nodes())
			side := 1 + h.IntN(h.Nodes()-1)
			h.cut(order[:side], order[side:])
			return fmt.Sprintf("%v from %v", order[:side], order[side:]), h.healed
		}},
		{"isolate the leader", 0, func(h *harm) (string, func()) {
			victim := h.leader()
			h.cut([]int{victim}, h.others(victim))
			return fmt.Sprint(victim), h.healed
		}},
		{"one-way loss", 0, func(h *harm) (string, func()) {
			from := h.leader()
			to := h.others(from)
			to = to[:1+h.IntN(len(to))]
			h.apart.begin(from)
			h.apart.begin(to...)
			deaf := h.IntN(2) == 0
			for _, n := range to {
				if deaf {
					h.Cut(n, from)
				} else {
					h.Cut(from, n)
				}
			}
			if deaf {
				return fmt.Sprintf("%d does not hear %v", from, to), h.healed
			}
			return fmt.Sprintf("%v do not hear %d", to, from), h.healed
		}},
		{"a bridge that sees both sides", 0, func(h *harm) (string, func()) {
			order := h.Perm(h.Nodes())
			middle := 1 + (h.Nodes()-1)/2
			h.cut(order[1:middle], order[middle:])
			return fmt.Sprintf("%v from %v over %d", order[1:middle], order[middle:], order[0]), h.healed
		}},
	}
}

// deaths end a process, or stop it for a while.
func deaths() []fault {
	return []fault{
		{"kill", 0, func(h *harm) (string, func()) {
			return kill(h, h.IntN(h.Nodes()))
		}},
		{"kill the leader", 0, func(h *harm) (string, func()) {
			return kill(h, h.leader())
		}},
		{"pause", 0, func(h *harm) (string, func()) {
			victim := h.leader()
			if h.IntN(2) == 0 {
				victim = h.IntN(h.Nodes())
			}
			h.apart.begin(victim)
			h.Pause(victim)
			return fmt.Sprint(victim), func() {
				h.Resume(victim)
				h.apart.end(victim)
			}
		}},
	}
}

// restarts are what operators do, and what happens to them then.
func restarts() []fault {
	return []fault{
		{"restart one after the other", 20 * time.Second, func(h *harm) (string, func()) {
			order := h.Perm(h.Nodes())
			for _, victim := range order {
				h.leave(victim)
				h.restart(victim)
				pause(h.ctx, h.Rand, 2*time.Second)
			}
			return fmt.Sprint(order), nil
		}},
		{"stop all in turn", 20 * time.Second, func(h *harm) (string, func()) {
			down, up := h.Perm(h.Nodes()), h.Perm(h.Nodes())
			for i, victim := range down {
				if len(down)-i <= len(down)/2+1 { // no majority is left from here on
					h.apart.begin(down...)
				}
				h.leave(victim)
				pause(h.ctx, h.Rand, 2*time.Second)
			}
			return fmt.Sprintf("%v, started as %v", down, up), func() {
				for _, victim := range up {
					h.Restart(victim)
					pause(h.ctx, h.Rand, 2*time.Second)
				}
				h.apart.endAll()
			}
		}},
		{"wipe a disk", copying + 20*time.Second, func(h *harm) (string, func()) {
			h.AwaitVoters()
			victim := h.IntN(h.Nodes())
			what, restart := kill(h, victim)
			h.Wipe(victim)
			return what, func() {
				restart()
				sleep(h.ctx, copying)
			}
		}},
	}
}

// leave tells a node to leave, which is apart from then on.
func (h *harm) leave(node int) {
	h.apart.begin(node)
	h.Leave(node)
}

func kill(h *harm, victim int) (string, func()) {
	h.apart.begin(victim)
	h.Kill(victim)
	return fmt.Sprint(victim), func() { h.restart(victim) }
}
