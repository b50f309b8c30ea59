//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/lock"
	"github.com/troupe-go/troupe/cluster/topic"
	"github.com/troupe-go/troupe/cluster/virtual"
	"github.com/troupe-go/troupe/persistence"
)

// operation is one kind of thing that a user does.
type operation struct {
	kind string
	do   func(ctx context.Context) error
}

// Cell is the protocol of all actors here.
type Cell struct{}

// Touch is a request that may run twice.
type Touch struct {
	actor.Call[Cell, int]
	actor.Idempotent
}

// Noted is an event.
type Noted struct{ N int }

type cell struct{ count int }

func (c *cell) touch(*actor.Context, Touch) (int, error) {
	c.count++
	return c.count, nil
}

func cells(name string) actor.Definition[Cell] {
	return actor.Define(name, func() *cell { return new(cell) }, actor.OnCall((*cell).touch))
}

// keys is how many records, actors and locks there are.
const keys = 64

// operations serves what the operations need, and returns them.
func operations(node *cluster.Node) ([]operation, error) {
	if err := node.Serve(cells("service")); err != nil {
		return nil, err
	}
	if err := virtual.Serve(node, cells("virtual")); err != nil {
		return nil, err
	}
	single, err := virtual.Singleton(node, cells("single"))
	if err != nil {
		return nil, err
	}
	notes := topic.Of[Noted](node, "notes", topic.Durable(), topic.Partitions(4))
	go subscribe(node, notes)
	service := cluster.Service[Cell](node, "service")
	store := node.Store()
	key := func(prefix string) string { return prefix + strconv.Itoa(rand.IntN(keys)) }
	touch := func(ctx context.Context, to actor.Ref[Cell]) error {
		_, err := actor.Ask(ctx, to, Touch{})
		return err
	}
	return []operation{
		{"put", func(ctx context.Context) error {
			_, err := persistence.Put(ctx, store, key("k/"), []byte("value"))
			return err
		}},
		{"get", func(ctx context.Context) error {
			_, err := store.Get(ctx, key("k/"))
			return unless(err, persistence.ErrNotFound)
		}},
		{"cas", func(ctx context.Context) error {
			k := key("k/")
			r, err := store.Get(ctx, k)
			if unless(err, persistence.ErrNotFound) != nil {
				return err
			}
			_, err = persistence.CompareAndSwap(ctx, store, k, r.Revision, []byte("swapped"))
			return unless(err, persistence.ErrConflict)
		}},
		{"virtual", func(ctx context.Context) error { return touch(ctx, virtual.Ref[Cell](node, "virtual", key(""))) }},
		{"singleton", func(ctx context.Context) error { return touch(ctx, single) }},
		{"service", func(ctx context.Context) error { return touch(ctx, service) }},
		{"publish", func(ctx context.Context) error { return notes.Publish(ctx, Noted{}, topic.Key(key(""))) }},
		{"lock", func(ctx context.Context) error {
			l, err := lock.Acquire(ctx, node, key("lock"))
			if err != nil {
				return err
			}
			return l.Release(ctx)
		}},
	}, nil
}

func unless(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// subscribe takes events until the node has left.
func subscribe(node *cluster.Node, notes *topic.Topic[Noted]) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		sub, err := notes.Subscribe(ctx, func(context.Context, topic.Event[Noted]) error { return nil }, topic.Group("all"))
		cancel()
		ended := make(<-chan struct{})
		if err == nil {
			ended = sub.Done()
		} else {
			waited := make(chan struct{})
			time.AfterFunc(100*time.Millisecond, func() { close(waited) })
			ended = waited
		}
		select {
		case <-node.Done():
			return
		case <-ended:
		}
	}
}

func (p *probe) operation(kind string) func(context.Context) error {
	for _, o := range p.all {
		if o.kind == kind {
			return o.do
		}
	}
	panic("no operation " + kind)
}

// ask begins to do all kinds of operations in random order, and writes a line for each
// that has ended: its kind, when it began and ended in ns since 1970, its code and error.
func (p *probe) ask(ctx context.Context, file string, askers int, deadline time.Duration) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var writing sync.Mutex
	var running sync.WaitGroup
	for range askers {
		running.Go(func() {
			for ctx.Err() == nil {
				o := p.all[rand.IntN(len(p.all))]
				began := time.Now()
				doing, cancel := context.WithTimeout(ctx, deadline)
				err := o.do(doing)
				cancel()
				if ctx.Err() != nil {
					return // it did not have its time
				}
				text := ""
				if err != nil {
					text = err.Error()
				}
				writing.Lock()
				fmt.Fprintf(out, "%s %d %d %s %q\n", o.kind, began.UnixNano(), time.Now().UnixNano(), codeOf(err), text)
				writing.Unlock()
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(rand.Int64N(int64(100 * time.Millisecond)))):
				}
			}
		})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = func() {
		cancel()
		running.Wait()
		_ = out.Close() // what could not be written is missed by the parent
	}
	return nil
}

// works tries each kind until it succeeds, and returns how long after from that was, in
// milliseconds.
func (p *probe) works(ctx context.Context, from int64) (map[string]float64, error) {
	took := map[string]float64{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for _, o := range p.all {
		running.Go(func() {
			if p.await(ctx, o.do) == nil {
				mu.Lock()
				defer mu.Unlock()
				took[o.kind] = float64(time.Now().UnixNano()-from) / 1e6
			}
		})
	}
	running.Wait()
	return took, ctx.Err()
}
