package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Target is a cluster that can be harmed. Nodes are numbered from 0.
type Target interface {
	Nodes() int
	// Leader returns the node that leads the core, or -1.
	Leader() int
	// Cut loses what one node sends to another, Heal ends all cuts.
	Cut(from, to int)
	Heal()
	// Kill ends a node as SIGKILL does, and Restart starts it again.
	Kill(node int)
	Restart(node int)
	// Pause stops a node as SIGSTOP does, and Resume lets it go on.
	Pause(node int)
	Resume(node int)
}

// fault does harm, and returns what takes it back.
type fault struct {
	name string
	harm func(t Target, random *rand.Rand) (what string, heal func())
}

func faults() []fault {
	return []fault{
		{"split in halves", func(t Target, random *rand.Rand) (string, func()) {
			order := random.Perm(t.Nodes())
			side := 1 + random.IntN(t.Nodes()-1)
			cutBetween(t, order[:side], order[side:])
			return fmt.Sprintf("%v from %v", order[:side], order[side:]), t.Heal
		}},
		{"isolate the leader", func(t Target, random *rand.Rand) (string, func()) {
			victim := leaderOf(t, random)
			cutBetween(t, []int{victim}, others(t, victim))
			return fmt.Sprint(victim), t.Heal
		}},
		{"one-way loss", func(t Target, random *rand.Rand) (string, func()) {
			from := leaderOf(t, random)
			to := others(t, from)
			to = to[:1+random.IntN(len(to))]
			deaf := random.IntN(2) == 0
			for _, n := range to {
				if deaf {
					t.Cut(n, from)
				} else {
					t.Cut(from, n)
				}
			}
			if deaf {
				return fmt.Sprintf("%d does not hear %v", from, to), t.Heal
			}
			return fmt.Sprintf("%v do not hear %d", to, from), t.Heal
		}},
		{"a bridge that sees both sides", func(t Target, random *rand.Rand) (string, func()) {
			order := random.Perm(t.Nodes())
			middle := 1 + (t.Nodes()-1)/2
			cutBetween(t, order[1:middle], order[middle:])
			return fmt.Sprintf("%v from %v over %d", order[1:middle], order[middle:], order[0]), t.Heal
		}},
		{"kill", func(t Target, random *rand.Rand) (string, func()) {
			victim := random.IntN(t.Nodes())
			t.Kill(victim)
			return fmt.Sprint(victim), func() { t.Restart(victim) }
		}},
		{"kill the leader", func(t Target, random *rand.Rand) (string, func()) {
			victim := leaderOf(t, random)
			t.Kill(victim)
			return fmt.Sprint(victim), func() { t.Restart(victim) }
		}},
		{"pause", func(t Target, random *rand.Rand) (string, func()) {
			victim := leaderOf(t, random)
			if random.IntN(2) == 0 {
				victim = random.IntN(t.Nodes())
			}
			t.Pause(victim)
			return fmt.Sprint(victim), func() { t.Resume(victim) }
		}},
	}
}

func leaderOf(t Target, random *rand.Rand) int {
	if leader := t.Leader(); leader >= 0 {
		return leader
	}
	return random.IntN(t.Nodes())
}

func others(t Target, node int) (out []int) {
	for i := range t.Nodes() {
		if i != node {
			out = append(out, i)
		}
	}
	return out
}

func cutBetween(t Target, a, b []int) {
	for _, i := range a {
		for _, j := range b {
			t.Cut(i, j)
			t.Cut(j, i)
		}
	}
}

// Torment does harm in random order, one thing at a time, each for some seconds, until
// that much time has passed. At the end all is healed. Each kind of harm comes once
// before any comes again.
func Torment(ctx context.Context, t Target, seed uint64, length time.Duration, log func(string)) {
	random := newRandom(seed)
	start := time.Now()
	var next []int
	kinds := faults()
	for time.Since(start) < length && ctx.Err() == nil {
		if len(next) == 0 {
			next = random.Perm(len(kinds))
		}
		f := kinds[next[0]]
		next = slices.Delete(next, 0, 1)
		began := time.Since(start).Round(time.Second)
		what, heal := f.harm(t, random)
		log(strings.TrimSpace(fmt.Sprintf("%v: %s: %s", began, f.name, what)))
		pause(ctx, random, 16*time.Second)
		heal()
		pause(ctx, random, 10*time.Second)
	}
}
