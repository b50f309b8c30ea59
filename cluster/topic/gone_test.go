package topic

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// A wait ends when the one who waits, or who is waited for, goes; and nobody gets Canceled
// who has not cancelled, nor reads what the library calls its parts.
func TestAWaitEndsWithItsNodeAndIsNotCanceled(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		for i := range 3 {
			put(t, durable(c.Node(i)), Placed{})
		}
		settle()
		c.Crash(1)
		c.Crash(2)
		<-time.After(20 * time.Second) // the sessions of these have ended, and nobody can take over
		left := c.Node(0)
		orders, other := durable(left), Of[Placed](left, "other", Durable())
		uses := map[string]func(ctx context.Context) error{
			"Publish": func(ctx context.Context) error { return orders.Publish(ctx, Placed{}, Key("a")) },
			"Inspect": func(ctx context.Context) error { _, err := orders.Inspect(ctx); return err },
			"Purge":   func(ctx context.Context) error { return orders.Purge(ctx, End()) },
			"Seek":    func(ctx context.Context) error { return orders.Seek(ctx, "billing", Start()) },
			"Subscribe": func(ctx context.Context) error {
				_, err := orders.Subscribe(ctx, new(recorder).handle, Group("billing"))
				return err
			},
			"the first use": func(ctx context.Context) error { return other.Publish(ctx, Placed{}) },
			"List":          func(ctx context.Context) error { _, err := List(ctx, left); return err },
		}
		type outcome struct {
			what string
			err  error
		}
		outcomes := make(chan outcome, len(uses))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		for what, use := range uses {
			go func() { outcomes <- outcome{what, use(ctx)} }()
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		leave, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		_ = left.Leave(leave)
		for range uses {
			o := <-outcomes
			if code := actor.CodeOf(o.err); code != actor.Unavailable && code != actor.Unknown || strings.Contains(o.err.Error(), "cancel") || strings.Contains(o.err.Error(), "peer") {
				t.Errorf("%s: %v, want Unavailable", o.what, o.err)
			}
		}
		t.Logf("Leave and all waits took %v", time.Since(began))
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the waits ended %v after the node began to leave", took)
		}
	})
}
