package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Plan says how a cluster is tormented.
type Plan struct {
	Seed   uint64
	Length time.Duration
	// Kinds restricts the faults to those whose names have one of these words in them.
	Kinds []string
	Log   func(string)
}

// Torment does harm in random order, one thing at a time, each for some seconds, until
// the time has passed. At the end all is healed. Each kind of harm comes once before any
// comes again. It returns when which nodes were not whole and in touch with a majority.
func Torment(ctx context.Context, t Target, p Plan) []Apart {
	random := newRandom(p.Seed)
	start := time.Now()
	kinds := slices.DeleteFunc(faults(t), func(f fault) bool { return !p.wants(f) })
	apart := &apart{}
	var next []fault
	for time.Since(start) < p.Length && len(kinds) > 0 && ctx.Err() == nil {
		if len(next) == 0 {
			for _, i := range random.Perm(len(kinds)) {
				next = append(next, kinds[i])
			}
		}
		f := next[0]
		next = next[1:]
		if f.needs > 0 && time.Since(start)+f.needs > p.Length {
			kinds = slices.DeleteFunc(kinds, func(k fault) bool { return k.name == f.name })
			continue
		}
		began := time.Since(start).Round(time.Second)
		what, heal := f.harm(&harm{Target: t, Rand: random, ctx: ctx, apart: apart})
		p.Log(strings.TrimSpace(fmt.Sprintf("%v: %s: %s", began, f.name, what)))
		if heal != nil {
			pause(ctx, random, 16*time.Second)
			heal()
		}
		pause(ctx, random, 10*time.Second)
	}
	return apart.times
}

func (p Plan) wants(f fault) bool {
	return len(p.Kinds) == 0 || slices.ContainsFunc(p.Kinds, func(word string) bool { return strings.Contains(f.name, word) })
}

// Apart is a time in which a node did not run, or was not in touch with a majority, or
// had a moment ago not been. Times are those of events.
type Apart struct {
	Node         int
	Began, Ended int64
}

// settling is how long after a fault everything has to work again.
const settling = 2 * time.Second

// apart notes when nodes were apart.
type apart struct{ times []Apart }

// forever is the end of a time that lasts.
const forever = 1<<63 - 1

func (a *apart) begin(nodes ...int) {
	for _, node := range nodes {
		a.times = append(a.times, Apart{node, time.Now().UnixNano(), forever})
	}
}

func (a *apart) end(node int) {
	for i := range a.times {
		if t := &a.times[i]; t.Node == node && t.Ended == forever {
			t.Ended = time.Now().Add(settling).UnixNano()
		}
	}
}

func (a *apart) endAll() {
	for i := range a.times {
		a.end(a.times[i].Node)
	}
}
