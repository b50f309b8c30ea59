package main

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// victim is the node that is killed and comes back.
const victim = ben

// working is how long a call takes to handle while something happens to a node, so
// that calls are surely in flight.
const working = time.Millisecond

// during loads the service, half of the askers with calls that may be handled twice,
// while happen runs and for a while before and after.
func (t *tour) during(ctx context.Context, happen func() error) (safe, plain outcome, err error) {
	workers := cluster.Service[Worker](t.node, "worker")
	stop := make(chan struct{})
	more := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	loaded := make(chan struct{}, 2)
	go func() {
		safe = load(ctx, askers/2, more, func(ctx context.Context) (Done, error) {
			return actor.Ask(ctx, workers, SafeWork{Takes: working})
		})
		loaded <- struct{}{}
	}()
	go func() {
		plain = load(ctx, askers/2, more, func(ctx context.Context) (Done, error) {
			return actor.Ask(ctx, workers, Work{Takes: working})
		})
		loaded <- struct{}{}
	}()
	if err = stage.Pause(ctx, t.lead); err == nil {
		err = happen()
	}
	if err == nil {
		err = stage.Pause(ctx, t.lead)
	}
	close(stop)
	<-loaded
	<-loaded
	return safe, plain, err
}

// crash kills a node under load.
func (t *tour) crash(ctx context.Context) (string, error) {
	var known time.Duration
	safe, plain, err := t.during(ctx, func() error {
		t.Note("%d askers are at work; SIGKILL to %s", askers, victim)
		start := time.Now()
		t.nodes[victim].Kill()
		err := t.unseen(ctx, victim)
		known = time.Since(start)
		return err
	})
	if err != nil {
		return "", err
	}
	all := merge(plain.took, safe, plain)
	t.Note("%s calls, half of them idempotent, %s/s", stage.Number(len(all.latencies)), stage.Number(all.perSecond()))
	t.bars(all.answers)
	t.Claim(len(safe.failures) == 0, "all %s idempotent calls succeeded%s", stage.Number(len(safe.latencies)), firstOf(safe.failures))
	lost := len(plain.failures)
	t.Claim(plain.mostPerAsker() <= 1, "of %s others %d were lost: at most the one that each of %d askers had in flight", stage.Number(len(plain.latencies)), lost, askers/2)
	t.Claim(plain.unavailable() == lost, "the caller of each was told that the service was %v", actor.Unavailable)
	if plain.unavailable() != lost {
		t.Note("but: %s", firstOf(plain.failures))
	}
	t.Claim(all.percentile(100) < patience/2, "the longest call took %s: none waited for its deadline of %s", stage.Brief(all.percentile(100)), patience)
	t.Claim(known < 2*slowest, "the other nodes knew after %s", stage.Brief(known))
	return fmt.Sprintf("%d calls lost, longest %s, known in %s", lost, stage.Brief(all.percentile(100)), stage.Brief(known)), nil
}

// unseen waits until no other node takes the named one for a member.
func (t *tour) unseen(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 6*slowest)
	defer cancel()
	for other, p := range t.nodes {
		if other == name {
			continue
		}
		if err := p.Await(ctx, func() bool { return !sees(p, name) }); err != nil {
			return err
		}
	}
	return t.node.Await(ctx, func() bool { _, there := t.member(name); return !there })
}

// member returns a member by its name.
func (t *tour) member(name string) (cluster.Member, bool) {
	for _, m := range t.node.Members() {
		if m.Name == name {
			return m, true
		}
	}
	return cluster.Member{}, false
}
