package topic

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Whatever is the first thing that a node does with a durable topic waits for the owners of
// its partitions, also where nobody has used the topic before.
func TestTheFirstUseWaitsForTheOwners(t *testing.T) {
	uses := map[string]func(ctx context.Context, orders *Topic[Placed]) error{
		"Publish":               func(ctx context.Context, on *Topic[Placed]) error { return on.Publish(ctx, Placed{}) },
		"Purge(End)":            func(ctx context.Context, on *Topic[Placed]) error { return on.Purge(ctx, End()) },
		"Purge(Start)":          func(ctx context.Context, on *Topic[Placed]) error { return on.Purge(ctx, Start()) },
		"Purge(AtTime)":         func(ctx context.Context, on *Topic[Placed]) error { return on.Purge(ctx, AtTime(time.Now())) },
		"Purge(AtOffset)":       func(ctx context.Context, on *Topic[Placed]) error { return on.Purge(ctx, AtOffset(1, 7)) },
		"Purge of dead letters": func(ctx context.Context, on *Topic[Placed]) error { return on.DeadLetters().Purge(ctx, End()) },
		"Inspect":               func(ctx context.Context, on *Topic[Placed]) error { _, err := on.Inspect(ctx); return err },
		"Inspect of dead letters": func(ctx context.Context, on *Topic[Placed]) error {
			_, err := on.DeadLetters().Inspect(ctx)
			return err
		},
		"DeleteGroup": func(ctx context.Context, on *Topic[Placed]) error { return on.DeleteGroup(ctx, "nobody") },
		"Seek": func(ctx context.Context, on *Topic[Placed]) error {
			if err := on.Seek(ctx, "nobody", Start()); actor.CodeOf(err) != actor.NotFound {
				return fmt.Errorf("%w, want NotFound", err)
			}
			return nil
		},
		"Subscribe": func(ctx context.Context, on *Topic[Placed]) error {
			_, err := on.Subscribe(ctx, new(recorder).handle, Group("billing"))
			return err
		},
		"Subscribe to dead letters": func(ctx context.Context, on *Topic[Placed]) error {
			_, err := on.DeadLetters().Subscribe(ctx, func(context.Context, Event[DeadLetter]) error { return nil }, Group("support"))
			return err
		},
		"List": func(ctx context.Context, on *Topic[Placed]) error {
			_, err := List(ctx, on.extension.node)
			return err
		},
	}
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		nodes := nodes(c, 3)
		for number, name := range slices.Sorted(maps.Keys(uses)) {
			for _, n := range nodes {
				orders := Of[Placed](n, fmt.Sprint("orders-", number), Durable(), Partitions(4))
				if err := uses[name](ctx, orders); err != nil {
					t.Errorf("%s on %s: %v", name, n.Name(), err)
				}
			}
			if number%4 == 0 {
				nodes = append(nodes, c.Start(fmt.Sprint("node-", len(nodes))))
			}
		}
	})
}
