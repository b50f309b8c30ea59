package main

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// comeBack starts the node that was killed again.
func (t *tour) comeBack(ctx context.Context) (string, error) {
	before := t.node.Members()
	start := time.Now()
	if err := t.start(victim); err != nil {
		return "", err
	}
	workers := cluster.Service[Worker](t.node, "worker")
	limited, cancel := context.WithTimeout(ctx, 2*slowest)
	defer cancel()
	for {
		done, err := actor.Ask(limited, workers, Work{})
		if err != nil {
			return "", fmt.Errorf("while waiting for an answer of %s: %w", victim, err)
		}
		if done.Node == victim {
			break
		}
		if err := stage.Pause(limited, time.Millisecond); err != nil {
			return "", fmt.Errorf("%s does not answer: %w", victim, err)
		}
	}
	answered := time.Since(start)
	t.Claim(answered < slowest, "%s answers again %s after its process was started, under its old name", victim, stage.Brief(answered))

	same := true
	for _, m := range before {
		now, there := t.member(m.Name)
		same = same && there && now.Started.Equal(m.Started) && now.Address == m.Address
	}
	t.Claim(same, "nobody else was restarted")

	o := load(ctx, askers, times(t.calls/10), func(ctx context.Context) (Done, error) {
		return actor.Ask(ctx, workers, Work{})
	})
	t.bars(o.answers)
	t.Claim(len(o.failures) == 0 && len(o.answers) == len(names()), "all three share the calls%s", firstOf(o.failures))
	return fmt.Sprintf("first answer after %s", stage.Brief(answered)), ctx.Err()
}
