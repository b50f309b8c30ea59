//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"
)

// drilled is one harm of the drill: harm does it, to the nodes that are then not counted,
// and mend takes it back and says which have been started.
type drilled struct {
	name  string
	apart func(victim int) []int
	harm  func(ctx context.Context, c *nodes, victim int) error
	mend  func(ctx context.Context, c *nodes, victim int) (joining []int, err error)
}

func drills() []drilled {
	one := func(victim int) []int { return []int{victim} }
	startAgain := func(_ context.Context, c *nodes, victim int) ([]int, error) { return []int{victim}, c.start(victim) }
	return []drilled{
		{"kill", one, func(_ context.Context, c *nodes, victim int) error {
			c.kill(victim)
			return nil
		}, startAgain},
		{"pause", one, func(_ context.Context, c *nodes, victim int) error {
			c.running[victim].signal(syscall.SIGSTOP)
			return nil
		}, func(_ context.Context, c *nodes, victim int) ([]int, error) {
			c.running[victim].signal(syscall.SIGCONT)
			return nil, nil
		}},
		{"split", one, func(ctx context.Context, c *nodes, victim int) error {
			return c.network.cut(ctx, []int{victim}, others(len(c.running), victim))
		}, func(ctx context.Context, c *nodes, _ int) ([]int, error) { return nil, c.network.heal(ctx) }},
		{"restart", one, func(_ context.Context, c *nodes, victim int) error {
			c.stop(victim)
			return nil
		}, startAgain},
	}
}

// drill does harm, one thing at a time, for two minutes, and counts what fails at the
// nodes that run and are connected to a majority.
func drill(ctx context.Context, s *series, b *build) error {
	c, err := s.newNodes(ctx, b, 3)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.askEverywhere(ctx, 64, 4*time.Second); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(s.round), 77)) // both commits get the same
	slowest := s.row("after a fault is over, all works everywhere, slowest", "s", longest, atMost(2))
	middle := s.row("after a fault is over, all works everywhere, median", "s", median, wanted{})
	length := time.Duration(s.pick(120, 40)) * time.Second
	for n, start := 0, time.Now(); time.Since(start) < length; n++ {
		d := drills()[n%len(drills())]
		if d.name == "split" && !c.network.canHarm() {
			continue
		}
		victim := random.IntN(3)
		if random.IntN(2) == 0 {
			victim = max(c.leader(ctx), 0)
		}
		for _, i := range d.apart(victim) {
			c.discount(i)
		}
		if err := d.harm(ctx, c, victim); err != nil {
			return err
		}
		time.Sleep(5 * time.Second)
		over := time.Now()
		joining, err := d.mend(ctx, c, victim)
		if err != nil {
			return err
		}
		took, last, err := c.awaitWorking(ctx, over, joining...)
		if err != nil {
			return err
		}
		s.add(slowest, took)
		s.add(middle, took)
		if took > 2 {
			s.remark(slowest, "%.1f s after %s of node %d: %s", took, d.name, victim, last)
		}
		for _, i := range joining {
			if err := c.ask(ctx, i); err != nil {
				return err
			}
		}
		for _, i := range d.apart(victim) {
			c.count(i)
		}
		time.Sleep(3 * time.Second)
	}
	tallies, err := c.settle(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds() {
		limit := below(0.1)
		if kind == "lock" {
			limit = below(1)
		}
		r := s.row("failed: "+kind, "%", median, limit)
		if t := tallies[kind]; t != nil {
			s.add(r, 100*float64(t.failed)/float64(t.asked))
			s.remark(r, "%s", t.describe())
		}
	}
	return nil
}
