package main

import (
	"context"
	"fmt"
	"time"
)

// slowest is how long anything may take that takes well under a second or two on
// an idle machine. What was measured is printed; only this fails a step.
const slowest = 10 * time.Second

// form starts the nodes, and joins.
func (t *tour) form(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*slowest)
	defer cancel()
	start := time.Now()
	for _, name := range names() {
		if err := t.start(name); err != nil {
			return "", err
		}
	}
	for _, name := range names() {
		if err := t.nodes[name].await(ctx, func(s sight) bool { return s.sees(names()...) }); err != nil {
			return "", err
		}
	}
	formed := time.Since(start)
	for _, name := range names() {
		seen, _ := t.nodes[name].look()
		t.note("%-6s pid %-7d at %s", name, t.nodes[name].cmd.Process.Pid, seen.address)
	}
	t.claim(formed < slowest, "each of the three sees the other two after %s, start of the processes included", brief(formed))

	start = time.Now()
	if err := t.join(ctx); err != nil {
		return "", err
	}
	everyone := func() bool { return len(t.node.Instances("worker")) == len(names()) }
	if err := t.node.Await(ctx, everyone); err != nil {
		return "", err
	}
	known := time.Since(start)
	t.claim(known < slowest, "this process joins as %q and knows their services after %s", visitor, brief(known))
	return fmt.Sprintf("%s from start to cluster", brief(formed)), nil
}
