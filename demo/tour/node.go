package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

// What the processes tell the tour.
const (
	addressWord = "address" // its "ip:port"
	membersWord = "members" // the names of all members, whenever they change
	leftWord    = "left"    // Leave has returned
)

// live is the life of one node process.
func live(ctx context.Context, c *stage.Child) error {
	node, err := c.Join(ctx)
	if err != nil {
		return err
	}
	if err := node.Serve(workers(c.Name), ledgers()); err != nil {
		return err
	}
	c.Say(addressWord, node.Address())
	var watching sync.WaitGroup
	watching.Go(func() { tellMembers(node, c) })

	<-ctx.Done()
	leaving, cancel := context.WithTimeout(context.Background(), slowest)
	defer cancel()
	err = node.Leave(leaving)
	watching.Wait()
	c.Say(leftWord)
	return err
}

// tellMembers tells who the members are, whenever that changes, until the node has left.
func tellMembers(node *cluster.Node, c *stage.Child) {
	var last []string
	for {
		var now []string
		err := node.Await(context.Background(), func() bool {
			now = nil
			for _, m := range node.Members() {
				now = append(now, m.Name)
			}
			return !slices.Equal(now, last)
		})
		if err != nil {
			return
		}
		last = now
		c.Say(membersWord, now...)
	}
}

// worker works, one message at a time.
type worker struct{ node string }

func workers(node string) actor.Definition[Worker] {
	return actor.Define("worker", func() *worker { return &worker{node: node} },
		actor.OnCall((*worker).work),
		actor.OnCall((*worker).workSafely))
}

func (w *worker) work(ctx *actor.Context, m Work) (Done, error) {
	return w.done(ctx, m.Takes)
}

func (w *worker) workSafely(ctx *actor.Context, m SafeWork) (Done, error) {
	return w.done(ctx, m.Takes)
}

func (w *worker) done(ctx *actor.Context, takes time.Duration) (Done, error) {
	if takes > 0 {
		if err := stage.Pause(ctx, takes); err != nil {
			return Done{}, err
		}
	}
	return Done{Node: w.node}, nil
}

// ledger checks that the numbers it is told come as 0, 1, 2 and so on.
type ledger struct {
	next int
	seen Audited
}

func ledgers() actor.Definition[Ledger] {
	return actor.Define("ledger", func() *ledger { return new(ledger) },
		actor.OnCast((*ledger).entry),
		actor.OnCall((*ledger).audit))
}

func (l *ledger) entry(_ *actor.Context, m Entry) error {
	l.seen.Entries++
	if m.Number != l.next {
		l.seen.Surprises++
	}
	l.next = m.Number + 1
	return nil
}

func (l *ledger) audit(*actor.Context, Audit) (Audited, error) { return l.seen, nil }
