package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/lock"
)

// some is how many lines show that a process does the job.
const some = 20

// session is one run.
type session struct {
	report
	dir       string // temporary
	verbose   bool
	node      *cluster.Node
	ledger    *ledger
	processes map[string]*process // those that live
}

// run lets three processes compete for the job.
func run(ctx context.Context, out io.Writer, verbose bool) (err error) {
	dir, err := os.MkdirTemp("", "troupe-locks-")
	if err != nil {
		return err
	}
	s := &session{
		report: report{out: out}, dir: dir, verbose: verbose,
		ledger: newLedger(), processes: make(map[string]*process),
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if s.node, err = join(ctx, dir, "ledger", newLogger(verbose)); err != nil {
		return err
	}
	if err := s.node.Serve(s.ledger.definition()); err != nil {
		return err
	}
	if err := s.compete(ctx); err != nil {
		return err
	}
	if s.broken > 0 {
		return fmt.Errorf("%d promises are broken", s.broken)
	}
	return nil
}

// end stops what is still running and removes the folder.
func (s *session) end() error {
	var errs []error
	for _, p := range s.processes {
		p.dismiss()
	}
	for _, p := range s.processes {
		errs = append(errs, p.gone())
	}
	if s.node != nil {
		leave(s.node)
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

func (s *session) compete(ctx context.Context) error {
	if err := s.start(ctx, "anna", "ben", "cleo"); err != nil {
		return err
	}
	first, err := s.ledger.await(ctx, some, Write{})
	if err != nil {
		return err
	}
	s.say("%s does it, with token %d.", first.By, first.Token)
	if err := s.inspect(ctx, first); err != nil {
		return err
	}

	s.say("\nSIGKILL to %s (pid %d), which says goodbye to nobody.", first.By, s.processes[first.By].pid())
	killed := time.Now()
	s.processes[first.By].kill()
	delete(s.processes, first.By)
	second, err := s.ledger.await(ctx, 1, first)
	if err != nil {
		return err
	}
	s.say("%s takes over after %s, with token %d.", second.By, brief(time.Since(killed)), second.Token)
	s.claim(second.By != first.By && second.Token > first.Token, "another one, with a higher token")
	s.say("A write of %s was on its way all the time, and arrives now.", first.By)
	_, err = actor.Ask(ctx, cluster.Service[Ledger](s.node, "ledger"), first)
	s.claim(errors.Is(err, errFenced), "the ledger refuses it: %v", err)

	if second, err = s.ledger.await(ctx, some, first); err != nil {
		return err
	}
	s.say("\n%s is asked to release the lock.", second.By)
	asked := time.Now()
	if err := s.processes[second.By].release(); err != nil {
		return err
	}
	third, err := s.ledger.await(ctx, some, second)
	if err != nil {
		return err
	}
	s.say("%s goes on, with token %d. %d lines later, %s have passed.", third.By, third.Token, some, brief(time.Since(asked)))
	s.claim(third.By != second.By && third.Token > second.Token, "the one that has waited longest, with a higher token")

	lines, _ := s.ledger.look()
	s.say("\nThe ledger has %d lines.", len(lines))
	s.claim(len(holders(lines)) == 3, "each of the three wrote for a time of its own: no two did the job at once")
	return nil
}

// start starts a process of each name, and waits until all are there.
func (s *session) start(ctx context.Context, names ...string) error {
	s.say("Three processes want to do a job that one may do at a time.")
	for _, name := range names {
		p, err := startProcess(ctx, name, s.dir, s.verbose)
		if err != nil {
			return err
		}
		s.processes[name] = p
	}
	for _, name := range names {
		if err := s.processes[name].joined(); err != nil {
			delete(s.processes, name)
			return err
		}
		s.say("  %-4s  pid %d", name, s.processes[name].pid())
	}
	return nil
}

// inspect compares what the lock says with who writes.
func (s *session) inspect(ctx context.Context, holder Write) error {
	state, err := lock.Inspect(ctx, s.node, job)
	for err == nil && len(state.Waiters) < 2 { // they are on their way
		if err = pause(ctx, 50*time.Millisecond); err == nil {
			state, err = lock.Inspect(ctx, s.node, job)
		}
	}
	if err != nil {
		return err
	}
	s.claim(len(state.Holders) == 1 && state.Holders[0].Node == holder.By && state.Holders[0].Token == holder.Token,
		"the lock says so, too; %s and then %s wait for it", state.Waiters[0].Node, state.Waiters[1].Node)
	return nil
}
