package topic

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestAnEventTooLargeForALinkIsADeadLetter(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		for i := range 2 { // both use it
			put(t, durable(c.Node(i)), Placed{"small", i}, Key("ada"))
		}
		settle()
		info, err := durable(c.Node(0)).Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		owner := indexOf(t, c, info.Partitions[partitionOf("ada", "", 4)].Node)
		at, away := durable(c.Node(owner)), durable(c.Node(1-owner))
		large := Placed{strings.Repeat("large", 20_000), 0}
		wantCode(t, "publishing it elsewhere", away.Publish(t.Context(), large, Key("ada")), actor.InvalidArgument)
		for i := range 5 {
			put(t, at, large, Key("ada"))
			put(t, at, Placed{"small", 2 + i}, Key("ada"))
		}
		r := new(recorder)
		if _, err := away.Subscribe(t.Context(), r.handle, Group("billing")); err != nil {
			t.Fatal(err)
		}
		settle()
		r.want(t, "the group", 7)
		if g := inspectGroup(t, at, "billing"); g.DeadLetters != 5 || g.Lag != 0 {
			t.Errorf("%+v", g)
		}
	}, cluster.WithMaxMessage(64<<10))
}

func TestALinkForSmallMessagesHoldsNothingUp(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 3 {
			put(t, durable(c.Node(i)), Placed{"start", i})
		}
		var publishing sync.WaitGroup
		for p := range 12 {
			publishing.Go(func() {
				for i := range 20 {
					j.put(t, durable(c.Node(p%3)), Placed{strings.Repeat("x", 500*(1+i)), 100*p + i}, keyOf(p))
				}
			})
		}
		publishing.Wait()
		for i := range 3 {
			j.subscribeWith(t, c.Node(i), "billing", func(e Event[Placed]) error {
				if e.Attempt == 1 {
					return errors.New(strings.Repeat("a long error", 10_000))
				}
				return nil
			}, Window(1000))
		}
		j.await(t, "billing")
		settle()
		j.judge(t)
		if g := inspectGroup(t, durable(c.Node(0)), "billing"); g.Lag != 0 || g.DeadLetters != 0 {
			t.Errorf("%+v", g)
		}
	}, cluster.WithMaxMessage(16<<10))
}
