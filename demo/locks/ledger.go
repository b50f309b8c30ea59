package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/troupe-go/troupe/actor"
)

// Ledger is the protocol of the ledger.
type Ledger struct{}

// Write adds a line, unless somebody has written with a higher token.
type Write struct {
	actor.Call[Ledger, int] // answered with the number of the line
	Token                   uint64
	By                      string
}

var errFenced = actor.NewError(actor.FailedPrecondition, "fenced off")

// ledger is what the lock protects. The tests of a run look at it while it is written.
type ledger struct {
	mu      sync.Mutex
	lines   []Write
	changed chan struct{} // closed and replaced at each line
}

func newLedger() *ledger { return &ledger{changed: make(chan struct{})} }

// definition returns the actor through which the processes write.
func (l *ledger) definition() actor.Definition[Ledger] {
	return actor.Define("ledger", func() *ledger { return l }, actor.OnCall((*ledger).write))
}

func (l *ledger) write(_ *actor.Context, w Write) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.lines); n > 0 && w.Token < l.lines[n-1].Token {
		return 0, actor.Errorf(actor.FailedPrecondition, "token %d after %d: %w", w.Token, l.lines[n-1].Token, errFenced)
	}
	l.lines = append(l.lines, w)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(l.lines), nil
}

// look returns the lines, and a channel that closes when there are more.
func (l *ledger) look() ([]Write, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[:len(l.lines):len(l.lines)], l.changed
}

// await waits for so many lines of one holder after the given one, and returns the last.
func (l *ledger) await(ctx context.Context, lines int, after Write) (Write, error) {
	for {
		all, changed := l.look()
		if n := len(all); n >= lines && all[n-lines].Token > after.Token && all[n-lines] == all[n-1] {
			return all[n-1], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Write{}, fmt.Errorf("nobody does the job: %w", context.Cause(ctx))
		}
	}
}

// holders returns who wrote with which token, in the order of the lines: a holder that
// was interrupted by another appears twice.
func holders(lines []Write) (all []Write) {
	for i, w := range lines {
		if i == 0 || w != lines[i-1] {
			all = append(all, w)
		}
	}
	return all
}
