package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// session is one run.
type session struct {
	report
	dir     string // temporary
	verbose bool
	node    *cluster.Node
	houses  []*process // that run
	crowd   *crowd
}

// run lets people talk, kills a process and sends another home meanwhile, and compares
// what the rooms remember with what the people were told.
func run(ctx context.Context, out io.Writer, verbose bool) (err error) {
	dir, err := os.MkdirTemp("", "troupe-chat-")
	if err != nil {
		return err
	}
	s := &session{report: report{out: out}, dir: dir, verbose: verbose}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	talking, stop := context.WithCancel(ctx)
	defer stop()
	s.crowd.talk(talking)
	for _, step := range []func(context.Context) error{s.settle, s.killOne, s.sendOneHome} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	stop()
	s.crowd.speech.Wait()
	if err := s.compare(ctx); err != nil {
		return err
	}
	if s.broken > 0 {
		return fmt.Errorf("%d claims do not hold", s.broken)
	}
	return nil
}

// end stops what is still running and removes the folder.
func (s *session) end() error {
	if s.node != nil {
		leave(s.node)
	}
	for _, p := range s.houses {
		p.kill()
	}
	return os.RemoveAll(s.dir)
}

// open starts the processes, and joins them.
func (s *session) open(ctx context.Context) error {
	for i := range houses {
		p, err := startHouse(ctx, s.dir, fmt.Sprintf("house-%d", i+1), s.verbose)
		if err != nil {
			return err
		}
		s.houses = append(s.houses, p)
	}
	var err error
	if s.node, err = join(ctx, s.dir, "people", newLogger(s.verbose)); err != nil {
		return err
	}
	s.crowd = newCrowd(s.node)
	s.say("%d processes may run chat rooms; %d people talk in %d rooms.\n", houses, len(names()), len(roomNames()))
	return s.node.Await(ctx, func() bool { return len(s.node.Members()) == houses+1 })
}

// settle waits until people have been heard in every room for a while.
func (s *session) settle(ctx context.Context) error {
	if err := s.crowd.await(ctx, func(r string) bool { return len(s.crowd.said[r]) == len(names()) }); err != nil {
		return err
	}
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	for _, r := range roomNames() {
		s.say("  the %s runs in %s", r, s.crowd.places()[r].Node)
	}
	return nil
}

// take returns a process that has a room, which runs no longer.
func (s *session) take() *process {
	busiest := s.crowd.places()[roomNames()[0]].Node
	i := max(0, slices.IndexFunc(s.houses, func(p *process) bool { return p.name == busiest }))
	p := s.houses[i]
	s.houses = slices.Delete(s.houses, i, i+1)
	return p
}

// killOne kills a process, and waits until all rooms go on.
func (s *session) killOne(ctx context.Context) error {
	p := s.take()
	began := time.Now()
	p.kill()
	s.say("\nSIGKILL to %s (pid %d)", p.name, p.pid())
	if err := s.goOn(ctx, p, began); err != nil {
		return err
	}
	again, err := startHouse(ctx, s.dir, p.name, s.verbose)
	if err != nil {
		return err
	}
	s.houses = append(s.houses, again)
	s.say("  %s is started again (pid %d), and gets its share of the rooms back", p.name, again.pid())
	return pause(ctx, 2*time.Second)
}

// sendOneHome lets a process leave, and waits until all rooms go on.
func (s *session) sendOneHome(ctx context.Context) error {
	p := s.take()
	began := time.Now()
	s.say("\n%s (pid %d) goes home", p.name, p.pid())
	closed := make(chan error, 1)
	go func() { closed <- p.close() }()
	return errors.Join(s.goOn(ctx, p, began), <-closed)
}

// goOn waits until no room is in a process that has ended.
func (s *session) goOn(ctx context.Context, gone *process, began time.Time) error {
	err := s.crowd.await(ctx, func(r string) bool { return s.crowd.where[r].Node != gone.name })
	if err != nil {
		return err
	}
	took := time.Since(began)
	for _, r := range roomNames() {
		s.say("  the %s runs in %s", r, s.crowd.places()[r].Node)
	}
	s.say("  all rooms go on after %s", brief(took))
	return nil
}

// compare reads what the rooms remember.
func (s *session) compare(ctx context.Context) error {
	s.say("\nWhat the rooms remember, and what the people were told:")
	for _, r := range roomNames() {
		lines, err := actor.Ask(ctx, s.crowd.room(r), Read{})
		if err != nil {
			return err
		}
		remembered, inOrder := make(map[string]int), true
		for _, l := range lines {
			remembered[l.Who]++
			inOrder = inOrder && l.N == remembered[l.Who]
		}
		kept := 0
		complete := true
		for who, n := range s.crowd.said[r] {
			kept += n
			complete = complete && remembered[who] >= n
		}
		s.claim(complete && inOrder, "the %s remembers all %d lines that were acknowledged, once and in order", r, kept)
	}
	s.claim(!s.crowd.back, "no room ran in two places at a time")
	return nil
}
