package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
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
	stage *stage.Stage
	node  *cluster.Node             // the visitor
	nodes map[string]*stage.Process // the newest of each name
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
func (s size) take(ctx context.Context, st *stage.Stage) (err error) {
	t := &tour{report: &report{Report: &st.Report}, size: s, stage: st, nodes: make(map[string]*stage.Process)}
	defer func() { err = errors.Join(err, t.end()) }()
	t.Say("Troupe: one cluster on this host (%s, %s/%s, %d cores).", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
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

// end lets the visitor leave.
func (t *tour) end() error {
	if t.node == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), slowest)
	defer cancel()
	return t.node.Leave(ctx)
}

// start starts the process of one node.
func (t *tour) start(name string) (err error) {
	t.nodes[name], err = t.stage.Start(name)
	return err
}
