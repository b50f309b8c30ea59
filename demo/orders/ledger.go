package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/troupe-go/troupe/actor"
)

// Ledger is the protocol of the ledger.
type Ledger struct{}

// Handled tells that a process handles an order, before it acknowledges that.
type Handled struct {
	actor.Call[Ledger, Noted]
	Group, By string
	Order     Order
	Attempt   int
}

// Noted is the answer.
type Noted struct{}

// ledger has what was handled. The story of a run looks at it while it is written.
type ledger struct {
	mu      sync.Mutex
	lines   []Handled
	changed chan struct{} // closed and replaced at each line
}

func newLedger() *ledger { return &ledger{changed: make(chan struct{})} }

// definition returns the actor through which the processes write.
func (l *ledger) definition() actor.Definition[Ledger] {
	return actor.Define("ledger", func() *ledger { return l }, actor.OnCall((*ledger).handled))
}

func (l *ledger) handled(_ *actor.Context, h Handled) (Noted, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, h)
	close(l.changed)
	l.changed = make(chan struct{})
	return Noted{}, nil
}

// of returns what a group has handled, and a channel that closes when there is more.
func (l *ledger) of(group string) (lines []Handled, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.lines {
		if h.Group == group {
			lines = append(lines, h)
		}
	}
	return lines, l.changed
}

// await waits until a group has handled so many different orders, and returns all lines
// of it.
func (l *ledger) await(ctx context.Context, group string, count int) ([]Handled, error) {
	for {
		lines, changed := l.of(group)
		if len(numbers(lines)) >= count {
			return lines, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s has handled %d orders, and not %d: %w", group, len(numbers(lines)), count, context.Cause(ctx))
		}
	}
}

// numbers returns how often each order is in lines.
func numbers(lines []Handled) map[int]int {
	all := make(map[int]int)
	for _, h := range lines {
		all[h.Order.Number]++
	}
	return all
}

// unmarked returns how many lines claim that their order was not delivered before, and
// are wrong.
func unmarked(lines []Handled) int {
	firsts := make(map[int]int)
	wrong := 0
	for _, h := range lines {
		if h.Attempt > 1 {
			continue
		}
		if firsts[h.Order.Number]++; firsts[h.Order.Number] > 1 {
			wrong++
		}
	}
	return wrong
}

// again tells of lines that were marked as delivered before. On a machine that is busy
// a partition may have had to change its owner.
func again(lines []Handled) string {
	if more := len(lines) - len(numbers(lines)); more > 0 {
		return fmt.Sprintf(" (%d were marked as delivered before)", more)
	}
	return ""
}

// inOrder reports whether the orders of each customer came in the order of their numbers;
// those that came again do not count.
func inOrder(lines []Handled) bool {
	latest, seen := make(map[string]int), make(map[int]bool)
	for _, h := range lines {
		o := h.Order
		if seen[o.Number] {
			continue
		}
		if seen[o.Number] = true; o.Number < latest[o.Customer] {
			return false
		}
		latest[o.Customer] = o.Number
	}
	return true
}
