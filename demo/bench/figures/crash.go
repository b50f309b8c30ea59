//go:build unix

package main

import (
	"context"
	"path/filepath"
	"runtime"
	"time"
)

// crash kills a node of three and of five, and counts the members that others miss though
// nobody has died.
func crash(ctx context.Context, s *series, b *build) error {
	for _, count := range []int{3, 5} {
		if err := s.noticed(ctx, b, count); err != nil {
			return err
		}
	}
	return s.suspected(ctx, b)
}

func (s *series) noticed(ctx context.Context, b *build, count int) error {
	c, err := s.newNodes(ctx, b, count)
	if err != nil {
		return err
	}
	defer c.close()
	for n := range s.pick(4, 2) {
		victim := n % count
		if n%2 == 0 {
			victim = max(c.leader(ctx), 0)
		}
		killed := time.Now()
		c.kill(victim)
		seconds := make([]float64, count)
		err := c.each(func(i int, p *process) error {
			at, err := do[int64](ctx, p, "gone", name(victim))
			seconds[i] = float64(at-killed.UnixNano()) / 1e9
			return err
		})
		if err != nil {
			return err
		}
		seconds = append(seconds[:victim], seconds[victim+1:]...)
		s.add(s.row(map[int]string{3: "one of 3 is gone for all others, median", 5: "one of 5 is gone for all others, median"}[count], "s", median, wanted{}), longest(seconds))
		s.add(s.row(map[int]string{3: "one of 3 is gone for all others, slowest", 5: "one of 5 is gone for all others, slowest"}[count], "s", longest, atMost(3)), longest(seconds))
		if err := c.start(victim); err != nil {
			return err
		}
		if err := c.join(ctx, victim); err != nil {
			return err
		}
		if err := c.each(func(_ int, p *process) error { return command(ctx, p, "meet", count) }); err != nil {
			return err
		}
	}
	return nil
}

// suspected counts how often live nodes lose a member, under load and loss.
func (s *series) suspected(ctx context.Context, b *build) error {
	c, err := s.newNodes(ctx, b, 5)
	if err != nil {
		return err
	}
	defer c.close()
	if !c.network.canHarm() {
		return nil
	}
	count := func() (total int, err error) {
		losses := make([]int, len(c.running))
		err = c.each(func(i int, p *process) (err error) {
			losses[i], err = do[int](ctx, p, "losses")
			return err
		})
		for _, n := range losses {
			total += n
		}
		return total, err
	}
	if _, err := count(); err != nil {
		return err
	}
	for range 2 * runtime.NumCPU() {
		p, err := startProcess(b, "burn", "", filepath.Join(c.dir, "burn.log"), nil, "burn")
		if err != nil {
			return err
		}
		defer p.kill()
	}
	if err := c.network.lose(ctx, 0.02); err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(s.pick(30, 15)) * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	total, err := count()
	if err != nil {
		return err
	}
	s.add(s.row("live members missed by 5 nodes, 2 % loss and busy cores", "", sum, noMoreThanBase()), float64(total))
	return nil
}
