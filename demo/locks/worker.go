package main

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/lock"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

const (
	job     = "job" // the name of the lock
	workers = 3     // how many processes want it

	releaseCue = "release" // gives the lock to the next
)

// work is the life of a process that wants to do the job.
func work(ctx context.Context, c *stage.Child) error {
	node, err := c.Join(ctx, cluster.WithExpect(workers))
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	c.Ready()
	for ctx.Err() == nil {
		if err := takePart(ctx, node, c.Cues); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// takePart waits for the lock, and does the job while it is held.
func takePart(ctx context.Context, node *cluster.Node, cues <-chan string) error {
	l, err := lock.Acquire(ctx, node, job)
	if errors.Is(err, actor.Unavailable) {
		return stage.Pause(ctx, 100*time.Millisecond) // no majority now
	} else if err != nil {
		return err
	}
	defer l.Release(context.WithoutCancel(ctx)) // where that fails, it is tried again
	ledger := cluster.Service[Ledger](node, "ledger")
	for {
		select {
		case <-l.Lost():
			return nil
		case cue := <-cues:
			if cue == releaseCue {
				return nil
			}
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		_, err := actor.Ask(asking, ledger, Write{Token: l.Token(), By: node.Name()})
		cancel()
		switch {
		case err == nil, errors.Is(err, errFenced), errors.Is(err, actor.Unavailable), errors.Is(err, actor.DeadlineExceeded):
		case errors.Is(err, actor.NotFound): // its node is leaving
		default:
			return err
		}
	}
}
