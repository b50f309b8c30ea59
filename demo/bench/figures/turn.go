//go:build unix

package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

// turn stops the three voters one after the other and starts them in another order,
// without waiting for one before the next.
func turn(ctx context.Context, s *series, b *build) error {
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	if s.short {
		orders = orders[:2]
	}
	c, err := s.newNodes(ctx, b, 3)
	if err != nil {
		return err
	}
	defer c.close()
	lost := s.row("records lost, of those written", "", sum, atMost(0))
	for n, order := range orders {
		if err := command(ctx, c.running[n%3], "put", "turn", n); err != nil {
			return err
		}
		for i := range c.running {
			if c.stop(i) {
				s.remark(lost, "%s did not end, and was killed", name(i))
			}
			time.Sleep(time.Second)
		}
		for i := range c.running {
			s.add(s.row("replica of "+name(i)+", when all have stopped, least", "KiB", least, atLeast(64)), float64(folderSize(filepath.Join(c.stateDir(i), "core"))>>10))
		}
		started := time.Now()
		for _, i := range order {
			if err := c.start(i); err != nil {
				return err
			}
			time.Sleep(time.Second)
		}
		serving := s.row("all three serve after the last start, slowest", "s", longest, atMost(10))
		took, last, err := c.awaitWorking(ctx, started.Add(2*time.Second), 0, 1, 2)
		if err != nil {
			return err
		}
		s.add(serving, took)
		if last == "not at all" {
			s.remark(serving, "started in the order %v they do not serve", order)
			return nil
		}
		found, err := do[string](ctx, c.running[order[0]], "get", "turn")
		if err != nil {
			return err
		}
		s.add(lost, 0)
		if found != string(rune('0'+n)) {
			s.add(lost, 1)
			s.remark(lost, "started in the order %v, %q is there", order, found)
		}
		voting, cancel := context.WithTimeout(ctx, patience)
		err = c.awaitVoters(voting)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func folderSize(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // nothing is there
		}
		if info, err := e.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				bytes += stat.Blocks * 512
			}
		}
		return nil
	})
	return bytes
}
