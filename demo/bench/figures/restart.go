//go:build unix

package main

import (
	"context"
	"fmt"
	"time"
)

// restarts stops and starts the three nodes one after the other, under load, and counts
// what fails at those that are not the one.
func restarts(ctx context.Context, s *series, b *build) error {
	c, err := s.newNodes(ctx, b, 3)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.askEverywhere(ctx, 64, 5*time.Second); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	for i := range s.pick(10, 6) {
		killed, took, err := c.restart(ctx, i%3)
		if ctx.Err() != nil {
			return err
		}
		s.add(s.row("slowest stop", "s", longest, wanted{}), took.stop.Seconds())
		s.add(s.row("slowest start, until it can write", "s", longest, wanted{}), took.start.Seconds())
		if killed {
			s.remark(s.rows[0], "%s did not end, and was killed", name(i%3))
		}
		if err != nil { // nobody would restart the next one then
			s.remark(s.rows[1], "restart %d was the last: %v", i+1, err)
			break
		}
		time.Sleep(time.Second)
	}
	time.Sleep(5 * time.Second)
	tallies, err := c.settle(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds() {
		r := s.row("failed: "+kind, "", sum, atMost(0))
		if t := tallies[kind]; t != nil {
			s.add(r, float64(t.failed))
			s.remark(r, "%s", t.describe())
		}
	}
	return nil
}

// restarting is how long the parts of a restart took.
type restarting struct{ stop, start time.Duration }

// restart stops a node and starts it again.
func (c *nodes) restart(ctx context.Context, i int) (killed bool, took restarting, err error) {
	start := time.Now()
	killed = c.stop(i)
	took.stop = time.Since(start)
	start = time.Now()
	if err = c.start(i); err == nil {
		err = c.join(ctx, i)
	}
	took.start = time.Since(start)
	if err != nil {
		err = fmt.Errorf("a restart: %w", err)
	}
	return killed, took, err
}
