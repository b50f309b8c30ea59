package main

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

const (
	some      = 200 // how many orders there are at a time
	customers = 10
)

// shop is one run.
type shop struct {
	*stage.Stage
	node      *cluster.Node
	orders    *topic.Topic[Order]
	ledger    *ledger
	placed    int
	processes map[string]*stage.Process
}

// run lets customers order while processes come and go.
func run(ctx context.Context, st *stage.Stage) error {
	node, err := st.Join(ctx, "shop", cluster.WithExpect(processes-1))
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	s := &shop{Stage: st, node: node, orders: orders(node), ledger: newLedger()}
	if err := node.Serve(s.ledger.definition()); err != nil {
		return err
	}
	s.Say("Two processes share the work of billing, and one is shipping.")
	if s.processes, err = s.StartAll(ctx, "billing-1", "billing-2", "shipping"); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{s.sell, s.reject, s.crash, s.replay} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// place publishes the next order: when that has succeeded, no crash can lose it.
func (s *shop) place(ctx context.Context, item string) (Order, error) {
	s.placed++
	o := Order{Number: s.placed, Customer: fmt.Sprint("customer-", s.placed%customers), Item: item}
	return o, s.publish(ctx, o)
}

func (s *shop) publish(ctx context.Context, o Order) error {
	return s.orders.Publish(ctx, o, topic.Key(o.Customer), topic.ID(o.id()))
}

func (s *shop) sell(ctx context.Context) error {
	s.Say("\n%d customers place %d orders. The last one is published three times.", customers, some)
	var last Order
	for range some {
		var err error
		if last, err = s.place(ctx, "tea"); err != nil {
			return err
		}
	}
	for range 2 {
		if err := s.publish(ctx, last); err != nil {
			return err
		}
	}
	for _, group := range []string{"billing", "shipping"} {
		lines, err := s.ledger.await(ctx, group, s.placed)
		if err != nil {
			return err
		}
		s.Claim(unmarked(lines) == 0 && inOrder(lines), "%s got each of them once%s, and those of a customer in order", group, again(lines))
	}
	return nil
}

func (s *shop) reject(ctx context.Context) error {
	o, err := s.place(ctx, unsold)
	if err != nil {
		return err
	}
	s.Say("\n%s orders %s, of which billing knows no price.", o.Customer, o.Item)
	letters := make(chan topic.DeadLetter, 1)
	support, err := s.orders.DeadLetters().Subscribe(ctx, func(ctx context.Context, e topic.Event[topic.DeadLetter]) error {
		select {
		case letters <- e.Value:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, topic.Group("support"))
	if err != nil {
		return err
	}
	defer support.Stop(ctx)
	select {
	case d := <-letters:
		dead, err := s.orders.Decode(d)
		s.Claim(err == nil && dead == o && d.Attempts == 3, "after %d attempts it is a dead letter of %s: %s", d.Attempts, d.Group, d.Error)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the order does not become a dead letter: %w", context.Cause(ctx))
	}
}

// billed is how many orders can be billed: all but the one for sand.
func (s *shop) billed() int { return s.placed - 1 }

func (s *shop) crash(ctx context.Context) error {
	s.Say("\n%d more orders.", some)
	victim := s.processes["billing-1"]
	for i := range some {
		if i == some/2 {
			s.Say("SIGKILL to %s (pid %d), which has orders at hand.", victim.Name(), victim.PID())
			victim.Kill()
		}
		if _, err := s.place(ctx, "milk"); err != nil {
			return err
		}
	}
	killed := time.Now()
	lines, err := s.ledger.await(ctx, "billing", s.billed())
	if err != nil {
		return err
	}
	again := len(lines) - s.billed()
	s.Say("%s after the last order, all are billed; %d twice.", stage.Brief(time.Since(killed)), again)
	s.Claim(len(numbers(lines)) == s.billed(), "every order was billed")
	s.Claim(unmarked(lines) == 0, "what was billed twice came marked as delivered before")
	s.Claim(inOrder(lines), "the orders of a customer were billed in order")
	lines, err = s.ledger.await(ctx, "shipping", s.placed)
	if err != nil {
		return err
	}
	s.Claim(unmarked(lines) == 0 && inOrder(lines), "shipping got all of them, in order")
	return nil
}

func (s *shop) replay(ctx context.Context) error {
	s.Say("\nAn audit begins today, and wants to see everything.")
	began := time.Now()
	audit, err := subscribe(ctx, s.node, "audit")
	if err != nil {
		return err
	}
	defer audit.Stop(ctx)
	lines, err := s.ledger.await(ctx, "audit", s.placed)
	if err != nil {
		return err
	}
	s.Claim(unmarked(lines) == 0 && inOrder(lines), "it got all %d orders%s, in order, within %s", s.placed, again(lines), stage.Brief(time.Since(began)))
	return s.inspect(ctx)
}

// inspect waits until what was handled is also acknowledged.
func (s *shop) inspect(ctx context.Context) error {
	for {
		info, err := s.orders.Inspect(ctx)
		if err != nil {
			return err
		}
		lag := uint64(0)
		for _, g := range info.Groups {
			lag += g.Lag
		}
		if lag > 0 {
			if err := stage.Pause(ctx, 20*time.Millisecond); err != nil {
				return fmt.Errorf("the groups are not done: %w", err)
			}
			continue
		}
		s.Say("\nThe topic says:")
		for _, g := range info.Groups {
			s.Note("%-9s  members %d, lag %d, redelivered %d, dead letters %d", g.Name, g.Members, g.Lag, g.Redelivered, g.DeadLetters)
		}
		s.Claim(len(info.Groups) == 3, "three groups, and none has anything left to do")
		return nil
	}
}
