package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/lock"
)

// How a process is told what it is, and what it is to do.
const (
	nameEnv    = "LOCKS_NAME"
	dirEnv     = "LOCKS_DIR"
	verboseEnv = "LOCKS_VERBOSE"

	joinedLine     = "joined"  // what it writes when it is a member
	releaseCommand = "release" // gives the lock to the next
)

// job is the name of the lock.
const job = "job"

// live is the life of a process that wants to do the job. It ends with its standard
// input.
func live(name, dir string) error {
	signal.Ignore(os.Interrupt) // Ctrl-C is for the one that started us, which sends us home
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	node, err := join(ctx, dir, name, newLogger(os.Getenv(verboseEnv) != ""))
	if err != nil {
		return err
	}
	defer leave(node)
	fmt.Println(joinedLine)
	release := make(chan struct{})
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if in.Text() == releaseCommand {
				release <- struct{}{}
			}
		}
		cancel()
	}()
	for ctx.Err() == nil {
		if err := takePart(ctx, node, release); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// takePart waits for the lock, and does the job while it is held.
func takePart(ctx context.Context, node *cluster.Node, release <-chan struct{}) error {
	l, err := lock.Acquire(ctx, node, job)
	if errors.Is(err, actor.Unavailable) {
		return pause(ctx, 100*time.Millisecond) // no majority now
	} else if err != nil {
		return err
	}
	defer l.Release(context.WithoutCancel(ctx)) // where that fails, it is tried again
	ledger := cluster.Service[Ledger](node, "ledger")
	for {
		select {
		case <-l.Lost():
			return nil
		case <-release:
			return nil
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		_, err := actor.Ask(asking, ledger, Write{Token: l.Token(), By: node.Name()})
		cancel()
		if err != nil && !errors.Is(err, errFenced) && !errors.Is(err, actor.Unavailable) && !errors.Is(err, actor.DeadlineExceeded) {
			return err
		}
	}
}

// join makes this process a node of a cluster that only those in dir know.
func join(ctx context.Context, dir, name string, log *slog.Logger) (*cluster.Node, error) {
	return cluster.Join(ctx,
		cluster.WithName(name),
		cluster.WithStateDir(dir),
		cluster.WithExpect(3),
		cluster.WithLogger(log),
		cluster.WithEnvironment(func(string) string { return "" }))
}

func leave(node *cluster.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = node.Leave(ctx) // the process ends anyway
}

func newLogger(verbose bool) *slog.Logger {
	if verbose {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// pause waits; it returns the reason if ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
