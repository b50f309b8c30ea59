package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// order tells one actor a long row of numbers.
func (t *tour) order(ctx context.Context) (string, error) {
	ledger, err := actor.Resolve[Ledger](t.node.System(), "actor://"+anna+"/ledger")
	if err != nil {
		return "", err
	}
	start := time.Now()
	waits := 0
	for i := range t.casts {
		full, err := tellPatiently(ctx, ledger, Entry{Number: i})
		if err != nil {
			return "", err
		}
		waits += full
	}
	told := time.Since(start)
	seen, err := t.audit(ctx, ledger)
	if err != nil {
		return "", err
	}
	arrived := time.Since(start)
	rate := int(float64(t.casts) / arrived.Seconds())
	t.Note("%s messages told to %s in %s, all handled after %s, that is %s/s", stage.Number(t.casts), ledger, stage.Brief(told), stage.Brief(arrived), stage.Number(rate))
	if waits > 0 {
		t.Note("the link was full %s times, and Tell said so", stage.Number(waits))
	}
	t.Claim(seen.Entries == t.casts, "%s arrived: none lost, none twice", stage.Number(seen.Entries))
	t.Claim(seen.Surprises == 0, "in the order they were told%s", butCount(seen.Surprises))
	return fmt.Sprintf("%s tells/s", stage.Number(rate)), nil
}

// tellPatiently tells m, and again after a moment while the link is full.
func tellPatiently(ctx context.Context, to actor.Ref[Ledger], m Entry) (full int, err error) {
	for {
		err := actor.Tell(to, m)
		if !errors.Is(err, actor.ResourceExhausted) {
			return full, err
		}
		full++
		if err := stage.Pause(ctx, time.Millisecond); err != nil {
			return full, err
		}
	}
}

// audit asks the ledger until it has seen all, or nothing more arrives.
func (t *tour) audit(ctx context.Context, ledger actor.Ref[Ledger]) (seen Audited, err error) {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	for {
		now, err := actor.Ask(ctx, ledger, Audit{})
		if err != nil || now.Entries >= t.casts || now == seen {
			return now, err
		}
		seen = now
		if err := stage.Pause(ctx, 100*time.Millisecond); err != nil {
			return seen, err
		}
	}
}
