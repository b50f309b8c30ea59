package e2e

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// A load is a crowd of askers that ask the service without pause: in turn one
// request that may be repeated, and one that may not.
type load struct {
	cancel context.CancelFunc
	askers sync.WaitGroup

	mu      sync.Mutex
	report  report
	changed chan struct{} // closed at the next answer
}

// report is what became of a load's requests.
type report struct {
	Answered      map[string]int    // by node
	Failed        map[string]int    // by code, of requests without the mark
	FailedSafe    map[string]int    // by code, of requests with it
	SlowestAnswer time.Duration     // of all
	SlowestError  time.Duration     // of all
	Examples      map[string]string // an error text by code
}

func (c *child) startLoad(ctx context.Context, askers string) error {
	n, err := strconv.Atoi(askers)
	if err != nil {
		return err
	}
	target, err := c.target("any")
	if err != nil {
		return err
	}
	l := &load{
		changed: make(chan struct{}),
		report: report{
			Answered: map[string]int{}, Failed: map[string]int{}, FailedSafe: map[string]int{}, Examples: map[string]string{},
		},
	}
	ctx, l.cancel = context.WithCancel(ctx)
	for range n {
		l.askers.Go(func() {
			for safe := false; ctx.Err() == nil; safe = !safe {
				l.ask(target, safe)
			}
		})
	}
	c.load.Store(l)
	return nil
}

func (l *load) ask(target actor.Ref[Worker], safe bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	start := time.Now()
	var done Done
	var err error
	if safe {
		done, err = actor.Ask(ctx, target, SafeWork{})
	} else {
		done, err = actor.Ask(ctx, target, Work{})
	}
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.report.Answered[done.Node]++
		l.report.SlowestAnswer = max(l.report.SlowestAnswer, took)
		close(l.changed)
		l.changed = make(chan struct{})
		return
	}
	code := actor.CodeOf(err).String()
	if safe {
		l.report.FailedSafe[code]++
	} else {
		l.report.Failed[code]++
	}
	l.report.Examples[code] = err.Error()
	l.report.SlowestError = max(l.report.SlowestError, took)
}

// await waits until the node has given so many more answers.
func (l *load) await(ctx context.Context, node, more string) error {
	n, err := strconv.Atoi(more)
	if err != nil {
		return err
	}
	goal := -1
	for {
		l.mu.Lock()
		now, changed := l.report.Answered[node], l.changed
		l.mu.Unlock()
		if goal < 0 {
			goal = now + n
		}
		if now >= goal {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// harvest ends the load.
func (l *load) harvest() report {
	l.cancel()
	l.askers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.report
}
