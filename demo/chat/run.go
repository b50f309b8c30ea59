package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// session is one run.
type session struct {
	*stage.Stage
	houses []*stage.Process // that run
	crowd  *crowd
}

// run lets people talk, kills a process and sends another home meanwhile, and compares
// what the rooms remember with what the people were told.
func run(ctx context.Context, st *stage.Stage) error {
	s := &session{Stage: st}
	for i := range houses {
		if _, err := s.open(ctx, fmt.Sprintf("house-%d", i+1)); err != nil {
			return err
		}
	}
	node, err := s.Join(ctx, "people", cluster.WithExpect(houses))
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	s.Say("%d processes may run chat rooms; %d people talk in %d rooms.\n", houses, len(names()), len(roomNames()))
	s.crowd = newCrowd(node)
	silence := s.crowd.talk(ctx)
	defer silence()
	for _, step := range []func(context.Context) error{s.settle, s.killOne, s.sendOneHome} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	silence()
	return s.compare(ctx)
}

// open starts a process, and waits until rooms may run in it.
func (s *session) open(ctx context.Context, name string) (*stage.Process, error) {
	p, err := s.Start(name)
	if err != nil {
		return nil, err
	}
	s.houses = append(s.houses, p)
	return p, p.Ready(ctx)
}

// settle waits until people have been heard in every room for a while.
func (s *session) settle(ctx context.Context) error {
	if err := s.crowd.await(ctx, func(r string) bool { return len(s.crowd.said[r]) == len(names()) }); err != nil {
		return err
	}
	if err := stage.Pause(ctx, time.Second); err != nil {
		return err
	}
	for _, r := range roomNames() {
		s.Note("the %s runs in %s", r, s.crowd.places()[r].Node)
	}
	return nil
}

// take returns a process that has a room, which runs no longer.
func (s *session) take() *stage.Process {
	lobby := s.crowd.places()[roomNames()[0]].Node
	i := max(0, slices.IndexFunc(s.houses, func(p *stage.Process) bool { return p.Name() == lobby }))
	p := s.houses[i]
	s.houses = slices.Delete(s.houses, i, i+1)
	return p
}

// killOne kills a process, and waits until all rooms go on.
func (s *session) killOne(ctx context.Context) error {
	p := s.take()
	began := time.Now()
	p.Kill()
	s.Say("\nSIGKILL to %s (pid %d)", p.Name(), p.PID())
	if err := s.goOn(ctx, p, began); err != nil {
		return err
	}
	again, err := s.open(ctx, p.Name())
	if err != nil {
		return err
	}
	s.Note("%s is started again (pid %d), and gets its share of the rooms back", again.Name(), again.PID())
	return stage.Pause(ctx, 2*time.Second)
}

// sendOneHome lets a process leave, and waits until all rooms go on.
func (s *session) sendOneHome(ctx context.Context) error {
	p := s.take()
	began := time.Now()
	s.Say("\n%s (pid %d) goes home", p.Name(), p.PID())
	closed := make(chan error, 1)
	go func() { closed <- p.Close(ctx) }()
	return errors.Join(s.goOn(ctx, p, began), <-closed)
}

// goOn waits until no room is in a process that has ended.
func (s *session) goOn(ctx context.Context, gone *stage.Process, began time.Time) error {
	err := s.crowd.await(ctx, func(r string) bool { return s.crowd.where[r].Node != gone.Name() })
	if err != nil {
		return err
	}
	took := time.Since(began)
	for _, r := range roomNames() {
		s.Note("the %s runs in %s", r, s.crowd.places()[r].Node)
	}
	s.Note("all rooms go on after %s", stage.Brief(took))
	return nil
}

// compare reads what the rooms remember.
func (s *session) compare(ctx context.Context) error {
	s.Say("\nWhat the rooms remember, and what the people were told:")
	ctx, cancel := context.WithTimeout(ctx, 10*patience)
	defer cancel()
	for _, r := range roomNames() {
		lines, err := ask(ctx, s.crowd.room(r), Read{})
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
		s.Claim(complete && inOrder, "the %s remembers all %d lines that were acknowledged, once and in order", r, kept)
	}
	s.Claim(!s.crowd.doubled, "no room ran in two places at a time")
	return nil
}
