//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// rewritten is what the probe says of it.
type rewritten struct {
	Seconds            float64 // of writing
	Peak, End, History int64   // bytes of the folder, and of values that the history keeps
	OverBound          float64 // the folder to three times what is live and history, and 64 MiB
	Collected          uint64  // files of the value log
}

// disk rewrites a few keys again and again, in a store that keeps little of its past, and
// in one as it is by default.
func disk(ctx context.Context, s *series, b *build) error {
	for _, past := range []struct {
		name    string
		history int // transactions
		writes  int
	}{
		{"history of 1000", 1000, s.pick(64_000, 8000)},
		{"default history", 0, s.pick(16_000, 4000)},
	} {
		r, err := onDisk(s, b, func(p *process, dir string) (rewritten, error) {
			return do[rewritten](ctx, p, "rewrite", dir, 20, 64<<10, past.writes, past.history)
		})
		if err != nil {
			return err
		}
		row := func(what, unit string, w wanted) *row { return s.row(past.name+": "+what, unit, longest, w) }
		s.add(row("peak", "MiB", wanted{}), mebi(r.Peak))
		s.add(row("5 s after the last write", "MiB", wanted{}), mebi(r.End))
		s.add(row("values that the history keeps", "MiB", wanted{}), mebi(r.History))
		s.add(row("peak of 3*(live+history)+64 MiB", "", atMost(1)), r.OverBound)
		rate := row("writes", "/s", atLeastOfBase(0.9))
		s.add(rate, float64(past.writes)/r.Seconds)
		s.remark(rate, "%d writes of 64 KiB to 20 keys, %d files collected", past.writes, r.Collected)
	}
	return nil
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// opening fills a store and opens it: when it was closed, and when its process was
// killed.
func opening(ctx context.Context, s *series, b *build) error {
	var millis [2]float64
	for i, killed := range []bool{false, true} {
		took, err := onDisk(s, b, func(p *process, dir string) (float64, error) {
			if err := command(ctx, p, "fill", dir, s.pick(60_000, 20_000), 1000); err != nil {
				return 0, err
			}
			if killed {
				p.kill()
				var err error
				if p, err = startProcess(b, "store", "", filepath.Join(filepath.Dir(dir), "log"), nil); err != nil {
					return 0, err
				}
				defer p.kill()
			} else if err := command(ctx, p, "close"); err != nil {
				return 0, err
			}
			return do[float64](ctx, p, "open", dir)
		})
		if err != nil {
			return err
		}
		millis[i] = took
	}
	s.add(s.row("after Close", "ms", median, wanted{}), millis[0])
	s.add(s.row("after kill -9", "ms", median, wanted{}), millis[1])
	s.add(s.row("kill -9 to Close", "", median, atMost(5)), millis[1]/millis[0])
	return nil
}

// onDisk does something with a probe and a folder of its own.
func onDisk[T any](s *series, b *build, f func(p *process, dir string) (T, error)) (result T, err error) {
	dir, err := os.MkdirTemp(s.dir, "store-")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(dir)
	p, err := startProcess(b, "store", "", filepath.Join(dir, "log"), nil)
	if err != nil {
		return result, err
	}
	defer p.kill()
	result, err = f(p, filepath.Join(dir, "store"))
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) // it is for the message only
		err = fmt.Errorf("%w\n%s", err, log)
	}
	return result, err
}
