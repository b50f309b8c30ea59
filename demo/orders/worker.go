package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/topic"
	"github.com/troupe-go/troupe/demo/internal/stage"
)

const (
	processes = 4 // with the shop
	unsold    = "sand"
)

// work is the life of a process that handles orders. Its name begins with its group.
func work(ctx context.Context, c *stage.Child) error {
	node, err := c.Join(ctx, cluster.WithExpect(processes-1))
	if err != nil {
		return err
	}
	defer stage.Leave(node)
	group, _, _ := strings.Cut(c.Name, "-")
	if _, err := subscribe(ctx, node, group); err != nil {
		return err
	}
	c.Ready()
	<-ctx.Done()
	return nil
}

// subscribe lets this process handle orders for a group.
func subscribe(ctx context.Context, node *cluster.Node, group string) (*topic.Subscription, error) {
	ledger := cluster.Service[Ledger](node, "ledger")
	return orders(node).Subscribe(ctx, func(ctx context.Context, e topic.Event[Order]) error {
		if group == "billing" && e.Value.Item == unsold {
			return fmt.Errorf("no price of %q is known", e.Value.Item)
		}
		select {
		case <-time.After(5 * time.Millisecond): // it is hard work
		case <-ctx.Done():
		}
		_, err := actor.Ask(ctx, ledger, Handled{Group: group, By: node.Name(), Order: e.Value, Attempt: e.Attempt})
		if errors.Is(err, actor.Unavailable) {
			return topic.RetryAfter(100*time.Millisecond, err)
		}
		return err
	}, topic.Group(group), topic.MaxAttempts(3))
}
