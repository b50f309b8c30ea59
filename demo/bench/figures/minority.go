//go:build unix

package main

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// minority kills two of three nodes, and cuts the leader off from both, and measures how
// long operations of the one take to fail.
func minority(ctx context.Context, s *series, b *build) error {
	for _, way := range []struct {
		name string
		harm func(c *nodes, survivor int) error
		led  bool // whether the survivor led
	}{
		{"others killed", func(c *nodes, survivor int) error {
			for i := range c.running {
				if i != survivor {
					c.kill(i)
				}
			}
			return nil
		}, false},
		{"leader cut off", func(c *nodes, survivor int) error {
			return c.network.cut(ctx, []int{survivor}, others(3, survivor))
		}, true},
	} {
		c, err := s.newNodes(ctx, b, 3)
		if err != nil {
			return err
		}
		if !c.network.canHarm() && way.name == "leader cut off" {
			_ = c.close()
			continue
		}
		survivor := c.leader(ctx)
		if !way.led {
			survivor = (survivor + 1) % 3
		}
		err = way.harm(c, survivor)
		if err == nil {
			err = s.failures(ctx, c.running[survivor], way.name)
		}
		if closing := c.close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// failures measures how long operations take to fail at a node.
func (s *series) failures(ctx context.Context, p *process, way string) error {
	for _, what := range []string{"write", "call"} {
		attempts, err := do[[]struct {
			Millis float64
			Code   string
		}](ctx, p, what, s.pick(60, 24), "10s")
		if err != nil {
			return err
		}
		codes := map[string]int{}
		var limit wanted
		if what == "write" {
			limit = atMost(1)
		}
		middle := s.row(way+": "+what+" fails, median", "s", median, limit)
		most := s.row(way+": "+what+" fails, slowest", "s", longest, limit)
		for _, a := range attempts {
			codes[a.Code]++
			s.add(middle, a.Millis/1000)
			s.add(most, a.Millis/1000)
		}
		s.remark(most, "%s", strings.Join(slices.Sorted(maps.Keys(codes)), ", "))
		if what == "call" {
			s.add(s.row(way+": calls that fail as canceled", "", sum, atMost(0)), float64(codes["canceled"]))
		}
	}
	return nil
}

func others(count, i int) (rest []int) {
	for n := range count {
		if n != i {
			rest = append(rest, n)
		}
	}
	return rest
}
