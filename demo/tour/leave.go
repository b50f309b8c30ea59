package main

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

// leaver is the node that leaves.
const leaver = cleo

// soon is how long after a node has left the others may take it for a member.
const soon = time.Second

// leave lets a node go under load.
func (t *tour) leave(ctx context.Context) (string, error) {
	var left, known time.Duration
	safe, plain, err := t.during(ctx, func() error {
		t.Note("%d askers are at work; %s is told to leave", askers, leaver)
		p := t.nodes[leaver]
		start := time.Now()
		p.Dismiss()
		limited, cancel := context.WithTimeout(ctx, 2*slowest)
		defer cancel()
		if err := p.Await(limited, func() bool { _, left := p.Said(leftWord); return left }); err != nil {
			return err
		}
		left = time.Since(start)
		err := t.unseen(ctx, leaver)
		known = time.Since(start)
		return err
	})
	if err != nil {
		return "", err
	}
	all := merge(plain.took, safe, plain)
	t.Note("%s calls, half of them idempotent, %s/s", stage.Number(len(all.latencies)), stage.Number(all.perSecond()))
	t.bars(all.answers)
	t.Claim(len(all.failures) == 0, "all were answered%s", firstOf(all.failures))
	t.Claim(known < left+soon, "it had left after %s; the others knew %s after it was told to", stage.Brief(left), stage.Brief(known))
	return fmt.Sprintf("%d calls lost, known in %s", len(all.failures), stage.Brief(known)), nil
}
