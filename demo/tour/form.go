package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
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
		p := t.nodes[name]
		if err := p.Await(ctx, func() bool { return sees(p, names()...) }); err != nil {
			return "", err
		}
	}
	formed := time.Since(start)
	for _, name := range names() {
		address, _ := t.nodes[name].Said(addressWord)
		t.Note("%-6s pid %-7d at %s", name, t.nodes[name].PID(), address)
	}
	t.Claim(formed < slowest, "each of the three sees the other two after %s, start of the processes included", stage.Brief(formed))

	start = time.Now()
	node, err := t.stage.Join(ctx, visitor)
	if err != nil {
		return "", err
	}
	t.node = node
	everyone := func() bool { return len(t.node.Instances("worker")) == len(names()) }
	if err := t.node.Await(ctx, everyone); err != nil {
		return "", err
	}
	known := time.Since(start)
	t.Claim(known < slowest, "this process joins as %q and knows their services after %s", visitor, stage.Brief(known))
	return fmt.Sprintf("%s from start to cluster", stage.Brief(formed)), nil
}

// sees reports whether the node in that process takes all of these for members.
func sees(p *stage.Process, names ...string) bool {
	said, _ := p.Said(membersWord)
	members := strings.Fields(said)
	for _, n := range names {
		if !slices.Contains(members, n) {
			return false
		}
	}
	return true
}
