package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/virtual"
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

	mu     sync.Mutex
	said   map[string]map[string]int // by room and person: how many lines are kept
	where  map[string]Said           // by room, the latest
	back   bool                      // an epoch went back
	grown  chan struct{}             // closed at the next line that is kept
	speech sync.WaitGroup
}

func newCrowd(node *cluster.Node) *crowd {
	c := &crowd{node: node, said: make(map[string]map[string]int), where: make(map[string]Said), grown: make(chan struct{})}
	for _, r := range roomNames() {
		c.said[r] = make(map[string]int)
	}
	return c
}

func (c *crowd) room(name string) actor.Ref[Room] { return virtual.Ref[Room](c.node, kind, name) }

// talk lets everybody say something in every room, again and again, until ctx ends.
func (c *crowd) talk(ctx context.Context) {
	for _, r := range roomNames() {
		for _, who := range names() {
			c.speech.Go(func() {
				for n := 1; c.sayUntilKept(ctx, r, who, n); n++ {
					if pause(ctx, breath) != nil {
						return
					}
				}
			})
		}
	}
}

// sayUntilKept says one thing until it is acknowledged; false if ctx ends first.
func (c *crowd) sayUntilKept(ctx context.Context, room, who string, n int) bool {
	line := Say{ID: fmt.Sprintf("%s-%d", who, n), Who: who, N: n}
	for {
		within, cancel := context.WithTimeout(ctx, patience)
		said, err := actor.Ask(within, c.room(room), line)
		cancel()
		if err == nil {
			c.kept(room, who, said)
			return true
		}
		if pause(ctx, breath) != nil {
			return false
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
	// An answer may overtake another, but no older activation answers once the new
	// one has.
	c.back = c.back || said.Epoch == c.where[room].Epoch && said.Node != c.where[room].Node
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

// pause waits, or returns why ctx has ended.
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
