package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/troupe-go/troupe/cluster"
)

// The nodes of the tour. The visitor, which asks and serves nothing, is this process.
const (
	anna    = "anna"
	ben     = "ben"
	cleo    = "cleo"
	visitor = "visitor"
)

// names returns those that are processes of their own.
func names() []string { return []string{anna, ben, cleo} }

// size says how much a tour does.
type size struct {
	calls int           // of each way to balance
	casts int           // to one actor
	lead  time.Duration // of load before something happens to a node, and after
}

// tour is the state that its steps share.
type tour struct {
	*report
	size
	dir     string // temporary
	verbose bool
	node    *cluster.Node
	nodes   map[string]*process // the newest of each name
}

type step struct {
	title string
	take  func(context.Context) (measured string, err error)
}

func (t *tour) steps() []step {
	return []step{
		{"Three processes form a cluster", t.form},
		{"Calls spread over a service", t.spread},
		{"Messages arrive in order, once", t.order},
		{"Strangers are refused", t.refuse},
		{"A process is killed under load", t.crash},
		{"It comes back and is used again", t.comeBack},
		{"A process leaves under load", t.leave},
	}
}

// take takes all steps. A claim that does not hold fails the tour, which goes on; an
// error of a step ends it.
func take(ctx context.Context, r *report, s size, verbose bool) (err error) {
	dir, err := os.MkdirTemp("", "troupe-tour-")
	if err != nil {
		return err
	}
	t := &tour{report: r, size: s, dir: dir, verbose: verbose, nodes: make(map[string]*process)}
	defer func() { err = errors.Join(err, t.end()) }()
	t.say("Troupe: one cluster on this host (%s, %s/%s, %d cores).", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	steps := t.steps()
	for i, s := range steps {
		t.begin(i+1, s.title)
		measured, err := s.take(ctx)
		t.finish(measured, err)
		if err != nil {
			break
		}
	}
	for _, s := range steps[len(t.results):] {
		t.skip(s.title)
	}
	failed := t.summary()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d steps did not hold", failed, len(steps))
	}
	return nil
}

// end stops what is still running and removes the folder.
func (t *tour) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	if t.node != nil {
		errs = append(errs, t.node.Leave(ctx))
	}
	for _, p := range t.nodes {
		p.dismiss()
	}
	for _, p := range t.nodes {
		p.gone(ctx)
	}
	return errors.Join(append(errs, os.RemoveAll(t.dir))...)
}

// start starts the process of one node.
func (t *tour) start(name string) error {
	p, err := startProcess(name, t.dir, t.verbose)
	if err != nil {
		return err
	}
	t.nodes[name] = p
	return nil
}

// join makes this process a node.
func (t *tour) join(ctx context.Context) (err error) {
	t.node, err = cluster.Join(ctx,
		cluster.WithName(visitor),
		cluster.WithStateDir(t.dir),
		cluster.WithLogger(newLogger(t.verbose)),
		cluster.WithEnvironment(func(string) string { return "" }))
	return err
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
