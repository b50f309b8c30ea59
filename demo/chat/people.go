package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

func roomNames() []string { return []string{"lobby", "garden", "library"} }

func names() []string { return []string{"Ada", "Bob", "Cleo", "Dan", "Eve", "Finn"} }

// How long somebody waits for an answer before saying it again, and between two lines.
const (
	patience = 2 * time.Second
	breath   = 20 * time.Millisecond
)

// crowd is the people, and what they know.
type crowd struct {
	node *cluster.Node

	mu    sync.Mutex
	said  map[string]map[string]int // by room and person: how many lines are kept
	where map[string]Said           // by room, the latest
	grown chan struct{}             // closed at the next line that is kept

	doubled bool // two nodes have answered for one activation of a room
}

func newCrowd(node *cluster.Node) *crowd {
	c := &crowd{node: node, said: make(map[string]map[string]int), where: make(map[string]Said), grown: make(chan struct{})}
	for _, r := range roomNames() {
		c.said[r] = make(map[string]int)
	}
	return c
}

func (c *crowd) room(name string) actor.Ref[Room] { return virtual.Ref[Room](c.node, kind, name) }

// talk lets everybody say something in every room, again and again, until silence is
// called, or ctx ends.
func (c *crowd) talk(ctx context.Context) (silence func()) {
	ctx, cancel := context.WithCancel(ctx)
	var speech sync.WaitGroup
	for _, r := range roomNames() {
		for _, who := range names() {
			speech.Go(func() { c.speak(ctx, r, who) })
		}
	}
	return func() {
		cancel()
		speech.Wait()
	}
}

// speak lets one person say something in one room, again and again.
func (c *crowd) speak(ctx context.Context, room, who string) {
	for n := 1; ; n++ {
		said, err := ask(ctx, c.room(room), Say{ID: fmt.Sprintf("%s-%d", who, n), Who: who, N: n})
		if err != nil {
			return // it is time to be silent
		}
		c.kept(room, who, said)
		if stage.Pause(ctx, breath) != nil {
			return
		}
	}
}

// ask asks a room the same thing until it answers, or ctx ends: while a room moves, or
// its process has been killed, it may be Unavailable for a moment.
func ask[R any, Q actor.Request[Room, R]](ctx context.Context, room actor.Ref[Room], q Q) (R, error) {
	for {
		within, cancel := context.WithTimeout(ctx, patience)
		reply, err := actor.Ask(within, room, q)
		cancel()
		if err == nil || stage.Pause(ctx, breath) != nil {
			return reply, err
		}
	}
}

func (c *crowd) kept(room, who string, said Said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said[room][who]++
	if said.Epoch > c.where[room].Epoch {
		c.where[room] = said
	}
	// A line that was said again gets its first answer, which may be of an older one.
	c.doubled = c.doubled || said.Epoch == c.where[room].Epoch && said.Node != c.where[room].Node
	close(c.grown)
	c.grown = make(chan struct{})
}

// await returns once condition holds for every room.
func (c *crowd) await(ctx context.Context, condition func(room string) bool) error {
	for {
		c.mu.Lock()
		grown, all := c.grown, true
		for _, r := range roomNames() {
			all = all && condition(r)
		}
		c.mu.Unlock()
		if all {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("the rooms are silent: %w", context.Cause(ctx))
		}
	}
}

// places returns where the rooms are.
func (c *crowd) places() map[string]Said {
	c.mu.Lock()
	defer c.mu.Unlock()
	places := make(map[string]Said)
	for r, s := range c.where {
		places[r] = s
	}
	return places
}
