package stage

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/troupe-go/troupe/cluster"
)

// Place is what the processes of one run have in common.
type Place struct {
	Dir string // a temporary folder

	verbose bool
}

// Logger returns where nodes log to: the standard error, or nowhere.
func (p Place) Logger() *slog.Logger {
	if p.verbose {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

func (p Place) join(ctx context.Context, name string, options []cluster.Option) (*cluster.Node, error) {
	return cluster.Join(ctx, append([]cluster.Option{
		cluster.WithName(name),
		cluster.WithStateDir(p.Dir),
		cluster.WithLogger(p.Logger()),
		cluster.WithEnvironment(func(string) string { return "" }),
	}, options...)...)
}

// Leave lets a node leave that was joined with [Stage.Join] or [Child.Join]. It takes
// 5 seconds at most: what has not ended then ends with the process.
func Leave(node *cluster.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = node.Leave(ctx)
}

// Stage is one run of a [Program], in the process that the user started. It is used by
// one goroutine at a time.
type Stage struct {
	Place
	Report

	processes []*Process
}

// Join makes this process a node of a cluster that only the processes of this run know.
// The options are added to those that see to that.
func (s *Stage) Join(ctx context.Context, name string, options ...cluster.Option) (*cluster.Node, error) {
	return s.join(ctx, name, options)
}

// Start starts this program again, as a process with that name, which need not be
// ready when Start returns.
func (s *Stage) Start(name string) (*Process, error) {
	p, err := startProcess(name, s.Place)
	if err != nil {
		return nil, err
	}
	s.processes = append(s.processes, p)
	return p, nil
}

// StartAll starts a process of each name, and returns when all are ready. It tells who
// they are.
func (s *Stage) StartAll(ctx context.Context, names ...string) (map[string]*Process, error) {
	started, longest := make(map[string]*Process, len(names)), 0
	for _, name := range names {
		p, err := s.Start(name)
		if err != nil {
			return nil, err
		}
		started[name], longest = p, max(longest, len(name))
	}
	for _, name := range names {
		if err := started[name].Ready(ctx); err != nil {
			return nil, err
		}
		s.Note("%-*s  pid %d", longest, name, started[name].PID())
	}
	return started, nil
}

// end kills who is still there, and removes the folder. Processes that have failed
// without anybody having noticed are an error, unless the run was interrupted: so may
// they have been, before they could ignore it.
func (s *Stage) end(ctx context.Context) error {
	var errs []error
	for _, p := range s.processes {
		if err := p.clear(); !errors.Is(ctx.Err(), context.Canceled) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.Dir))...)
}

// Pause waits; it returns the reason if ctx ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
