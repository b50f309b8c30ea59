package main

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// askers is how many goroutines ask at the same time.
const askers = 64

// patience is the deadline of each call.
const patience = 10 * time.Second

// outcome is what became of a load of calls.
type outcome struct {
	took      time.Duration
	latencies []time.Duration // of all calls, sorted
	answers   map[string]int  // by node
	failures  []failure
}

type failure struct {
	asker int
	err   error
}

// load lets n askers ask, each one call after the other, while more holds.
func load(ctx context.Context, n int, more func() bool, ask func(context.Context) (Done, error)) outcome {
	start := time.Now()
	parts := make([]outcome, n)
	var asking sync.WaitGroup
	for i := range parts {
		asking.Go(func() {
			o := outcome{answers: make(map[string]int)}
			for ctx.Err() == nil && more() {
				o.call(ctx, i, ask)
			}
			parts[i] = o
		})
	}
	asking.Wait()
	return merge(time.Since(start), parts...)
}

func (o *outcome) call(ctx context.Context, asker int, ask func(context.Context) (Done, error)) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	done, err := ask(ctx)
	o.latencies = append(o.latencies, time.Since(began))
	if err != nil {
		o.failures = append(o.failures, failure{asker, err})
		return
	}
	o.answers[done.Node]++
}

// merge adds outcomes up.
func merge(took time.Duration, parts ...outcome) outcome {
	all := outcome{took: took, answers: make(map[string]int)}
	for _, p := range parts {
		all.latencies = append(all.latencies, p.latencies...)
		all.failures = append(all.failures, p.failures...)
		for node, n := range p.answers {
			all.answers[node] += n
		}
	}
	slices.Sort(all.latencies)
	return all
}

// times is a condition that holds n times.
func times(n int) func() bool {
	var used atomic.Int64
	return func() bool { return used.Add(1) <= int64(n) }
}

// perSecond returns how many calls ended in a second.
func (o outcome) perSecond() int {
	return int(float64(len(o.latencies)) / o.took.Seconds())
}

// percentile returns the latency that p of 100 calls did not exceed (nearest rank).
func (o outcome) percentile(p float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(o.latencies))))
	return o.latencies[max(rank-1, 0)]
}

// unavailable counts the failures with that code.
func (o outcome) unavailable() int {
	n := 0
	for _, f := range o.failures {
		if actor.CodeOf(f.err) == actor.Unavailable {
			n++
		}
	}
	return n
}

// mostPerAsker returns how many failures the unluckiest asker met.
func (o outcome) mostPerAsker() int {
	counts := make(map[int]int)
	most := 0
	for _, f := range o.failures {
		counts[f.asker]++
		most = max(most, counts[f.asker])
	}
	return most
}
