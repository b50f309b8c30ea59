package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// spread calls the service through each of the balancers.
func (t *tour) spread(ctx context.Context) (string, error) {
	random, err := t.spreadBy(ctx, "random", cluster.Random{})
	if err != nil {
		return "", err
	}
	if _, err := t.spreadBy(ctx, "round robin", new(cluster.RoundRobin)); err != nil {
		return "", err
	}
	if err := t.keepKeys(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s calls/s, p50 %s, p99 %s", stage.Number(random.perSecond()), stage.Brief(random.percentile(50)), stage.Brief(random.percentile(99))), nil
}

func (t *tour) spreadBy(ctx context.Context, name string, b cluster.Balancer) (outcome, error) {
	workers := cluster.Service[Worker](t.node, "worker", cluster.WithBalancer(b))
	o := load(ctx, askers, times(t.calls), func(ctx context.Context) (Done, error) {
		return actor.Ask(ctx, workers, Work{})
	})
	if err := ctx.Err(); err != nil {
		return o, err
	}
	t.Note("%s: %s calls from %d askers in %s, that is %s/s", name, stage.Number(len(o.latencies)), askers, stage.Brief(o.took), stage.Number(o.perSecond()))
	t.Note("latency p50 %s, p90 %s, p99 %s, max %s", stage.Brief(o.percentile(50)), stage.Brief(o.percentile(90)), stage.Brief(o.percentile(99)), stage.Brief(o.percentile(100)))
	t.bars(o.answers)
	t.Claim(len(o.failures) == 0, "all were answered%s", firstOf(o.failures))
	t.Claim(len(o.answers) == len(names()), "%s leaves nobody out", name)
	return o, nil
}

// keepKeys asks several times for each of many keys.
func (t *tour) keepKeys(ctx context.Context) error {
	const keys, rounds = 300, 10
	workers := cluster.Service[Worker](t.node, "worker", cluster.WithBalancer(cluster.ConsistentHash{}))
	var mu sync.Mutex
	next, home, owned, moved := 0, make(map[string]string), make(map[string]int), 0
	o := load(ctx, askers, times(keys*rounds), func(ctx context.Context) (Done, error) {
		mu.Lock()
		key := fmt.Sprintf("customer-%d", next%keys)
		next++
		mu.Unlock()
		done, err := actor.Ask(ctx, workers, Work{Key: key})
		if err != nil {
			return done, err
		}
		mu.Lock()
		defer mu.Unlock()
		switch home[key] {
		case "":
			home[key] = done.Node
			owned[done.Node]++
		case done.Node:
		default:
			moved++
		}
		return done, nil
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	t.Note("consistent hash: %s calls for %d keys; keys on each node:", stage.Number(len(o.latencies)), keys)
	t.bars(owned)
	t.Claim(len(o.failures) == 0, "all were answered%s", firstOf(o.failures))
	t.Claim(moved == 0 && len(home) == keys, "each of %d keys stays on one instance%s", len(home), butCount(moved))
	return nil
}

// butCount describes exceptions, for the end of a claim.
func butCount(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (but for %s)", stage.Number(n))
}

// firstOf describes failures, for the end of a claim.
func firstOf(failures []failure) string {
	if len(failures) == 0 {
		return ""
	}
	texts := make([]string, len(failures))
	for i, f := range failures {
		texts[i] = f.err.Error()
	}
	slices.Sort(texts)
	return fmt.Sprintf(" (%s were not: %s)", stage.Number(len(failures)), texts[0])
}
