package topic

import (
	"context"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// failed cannot be decoded: it has an interface.
type failed struct{ Err error }

// closed would lose a part of itself.
type closed struct {
	N      int
	broken bool
}

func TestATopicOfWhatWouldNotComeBackIsRefused(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		for _, options := range [][]Option{nil, {Durable()}} {
			err := Of[closed](c.Node(0), "seals", options...).Publish(t.Context(), closed{N: 1, broken: true})
			if actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), "broken of topic.closed") {
				t.Errorf("%v, want InvalidArgument that names the field", err)
			}
			on := Of[failed](c.Node(0), "failures", options...)
			_, subscribed := on.Subscribe(t.Context(), func(context.Context, Event[failed]) error { return nil })
			for what, err := range map[string]error{"Publish": on.Publish(t.Context(), failed{}), "Subscribe": subscribed} {
				if actor.CodeOf(err) != actor.InvalidArgument || !strings.Contains(err.Error(), "Err of topic.failed") {
					t.Errorf("%s: %v, want InvalidArgument that names the field", what, err)
				}
			}
		}
	})
}
