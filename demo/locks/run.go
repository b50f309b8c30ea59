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

// some is how many lines show that a process does the job.
const some = 20

// session is one run.
type session struct {
	*stage.Stage
	node      *cluster.Node
	ledger    *ledger
	processes map[string]*stage.Process
}

// run lets three processes compete for the job.
func run(ctx context.Context, st *stage.Stage) error {
	node, err := st.Join(ctx, "ledger", cluster.WithExpect(workers))
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	s := &session{Stage: st, node: node, ledger: newLedger()}
	if err := node.Serve(s.ledger.definition()); err != nil {
		return err
	}
	s.Say("Three processes want to do a job that one may do at a time.")
	if s.processes, err = s.StartAll(ctx, "anna", "ben", "cleo"); err != nil {
		return err
	}
	return s.compete(ctx)
}

func (s *session) compete(ctx context.Context) error {
	first, err := s.ledger.await(ctx, some, Write{})
	if err != nil {
		return err
	}
	s.Say("%s does it, with token %d.", first.By, first.Token)
	if err := s.inspect(ctx, first); err != nil {
		return err
	}

	s.Say("\nSIGKILL to %s (pid %d), which says goodbye to nobody.", first.By, s.processes[first.By].PID())
	killed := time.Now()
	s.processes[first.By].Kill()
	second, err := s.ledger.await(ctx, 1, first)
	if err != nil {
		return err
	}
	s.Say("%s takes over after %s, with token %d.", second.By, stage.Brief(time.Since(killed)), second.Token)
	s.Claim(second.By != first.By && second.Token > first.Token, "another one, with a higher token")
	s.Say("A write of %s was on its way all the time, and arrives now.", first.By)
	_, err = actor.Ask(ctx, cluster.Service[Ledger](s.node, "ledger"), first)
	s.Claim(errors.Is(err, errFenced), "the ledger refuses it: %v", err)

	if second, err = s.ledger.await(ctx, some, first); err != nil {
		return err
	}
	s.Say("\n%s is asked to release the lock.", second.By)
	asked := time.Now()
	if err := s.processes[second.By].Cue(releaseCue); err != nil {
		return err
	}
	third, err := s.ledger.await(ctx, some, second)
	if err != nil {
		return err
	}
	s.Say("%s goes on, with token %d. %d lines later, %s have passed.", third.By, third.Token, some, stage.Brief(time.Since(asked)))
	s.Claim(third.By != second.By && third.Token > second.Token, "the one that has waited longest, with a higher token")

	lines, _ := s.ledger.look()
	s.Say("\nThe ledger has %d lines.", len(lines))
	s.Claim(len(holders(lines)) == 3, "each of the three wrote for a time of its own: no two did the job at once")
	return nil
}

// inspect compares what the lock says with who writes.
func (s *session) inspect(ctx context.Context, holder Write) error {
	state, err := lock.Inspect(ctx, s.node, job)
	for errors.Is(err, actor.Unavailable) || err == nil && len(state.Waiters) < 2 { // they are on their way
		if err := stage.Pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		state, err = lock.Inspect(ctx, s.node, job)
	}
	if err != nil {
		return err
	}
	s.Claim(len(state.Holders) == 1 && state.Holders[0].Node == holder.By && state.Holders[0].Token == holder.Token,
		"the lock says so, too; %s and then %s wait for it", state.Waiters[0].Node, state.Waiters[1].Node)
	return nil
}
