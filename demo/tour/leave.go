package main

import (
	"context"
	"fmt"
	"time"
)

// leaver is the node that leaves.
const leaver = cleo

// soon is how long after a node has left the others may take it for a member.
const soon = time.Second

// leave lets a node go under load.
func (t *tour) leave(ctx context.Context) (string, error) {
	var left, known time.Duration
	safe, plain, err := t.during(ctx, func() error {
		t.note("%d askers are at work; %s is told to leave", askers, leaver)
		p := t.nodes[leaver]
		start := time.Now()
		if err := p.leave(); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, 2*slowest)
		defer cancel()
		if err := p.await(limited, func(s sight) bool { return s.left }); err != nil {
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
	t.note("%s calls, half of them idempotent, %s/s", count(len(all.latencies)), count(all.perSecond()))
	t.bars(all.answers)
	t.claim(len(all.failures) == 0, "all were answered%s", firstOf(all.failures))
	t.claim(known < left+soon, "it had left after %s; the others knew %s after it was told to", brief(left), brief(known))
	return fmt.Sprintf("%d calls lost, known in %s", len(all.failures), brief(known)), nil
}
