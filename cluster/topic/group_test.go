package topic

import (
	"fmt"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestOneOfAGroupGetsEachEventAndAllGetTheirShare(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		const count = 3000
		var billing, audit []*recorder
		for i, members := range []int{1, 2, 3} { // each has its turn, wherever it is
			for range members {
				r, _ := subscribe(t, c.Node(i), "orders.*", Group("billing"))
				billing = append(billing, r)
			}
			r, _ := subscribe(t, c.Node(i), "orders.>", Group("audit"))
			audit = append(audit, r)
		}
		single, _ := subscribe(t, c.Node(1), "orders.eu")
		await(t, nodes(c, 3), "orders.eu", "node-0", "node-1", "node-2")
		settle()
		publish(t, c.Node(0), "orders.eu", count)
		settle()
		for name, group := range map[string][]*recorder{"billing": billing, "audit": audit} {
			spread(t, count, group...)
			for i, r := range group {
				if got, fair := len(r.all()), count/len(group); got < fair/2 || got > 2*fair {
					t.Errorf("member %d of %s got %d of %d events, its share is %d", i, name, got, count, fair)
				}
			}
		}
		single.want(t, "the subscriber without a group", count)
	})
}

// A group is known by its name, whatever topics its members subscribe to.
func TestAGroupIsOneOverAllItsTopics(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		a, _ := subscribe(t, c.Node(0), "orders.eu", Group("billing"))
		b, _ := subscribe(t, c.Node(1), "orders.>", Group("billing"))
		await(t, nodes(c, 2), "orders.eu", "node-0", "node-1")
		publish(t, c.Node(0), "orders.eu", 100)
		settle()
		spread(t, 100, a, b)
		if len(a.all()) == 0 || len(b.all()) == 0 {
			t.Errorf("one has %d events, the other %d", len(a.all()), len(b.all()))
		}
	})
}

func TestOthersGetTheEventsOfAMemberThatCrashed(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		a, _ := subscribe(t, c.Node(1), "orders", Group("billing"))
		b, _ := subscribe(t, c.Node(2), "orders", Group("billing"))
		await(t, nodes(c, 3), "orders", "node-1", "node-2")
		publish(t, c.Node(0), "orders", 100)
		settle()
		spread(t, 100, a, b)
		before := len(b.all())
		c.Crash(1)
		await(t, []*cluster.Node{c.Node(0)}, "orders", "node-2")
		publish(t, c.Node(0), "orders", 100)
		settle()
		if got := len(b.all()) - before; got != 100 {
			t.Errorf("the other member got %d of 100 events", got)
		}
		c.Restart(1)
		again, _ := subscribe(t, c.Node(1), "orders", Group("billing"))
		await(t, nodes(c, 3), "orders", "node-1", "node-2")
		publish(t, c.Node(0), "orders", 100)
		settle()
		if got := len(again.all()); got < 25 || got > 75 {
			t.Errorf("the member that came back got %d of 100 events", got)
		}
	})
}

// Publishers that do not know yet that a member has stopped lose nothing if there are
// others.
func TestEventsOfAGroupArePassedOnWhenAMemberHasStopped(t *testing.T) {
	var dead letters
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		a, first := subscribe(t, c.Node(1), "orders", Group("billing"))
		b, second := subscribe(t, c.Node(2), "orders", Group("billing"))
		d, _ := subscribe(t, c.Node(3), "orders", Group("billing"))
		await(t, nodes(c, 4), "orders", "node-1", "node-2", "node-3")
		if err := first.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		publish(t, c.Node(0), "orders", 99)
		settle()
		spread(t, 99, b, d)
		if len(a.all()) > 0 || dead.count.Load() > 0 {
			t.Errorf("the one that stopped got %d events, %d were lost", len(a.all()), dead.count.Load())
		}
		// Passed on once only: the last two members may each think the other is there.
		if err := second.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Node(3).Leave(t.Context()); err != nil {
			t.Error(err)
		}
		publish(t, c.Node(0), "orders", 10)
		settle()
	}, dead.option())
}

func TestAMemberThatHangsGetsNoMoreThanItsBuffer(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		gate := make(chan struct{})
		hanging, _ := hang(t, c.Node(0), "orders", gate, Group("billing"), Buffer(5))
		other, _ := subscribe(t, c.Node(0), "orders", Group("billing"))
		third, _ := subscribe(t, c.Node(0), "orders", Group("billing"))
		for i := range 1000 {
			publishOne(t, c.Node(0), "orders", i)
			<-time.After(time.Millisecond)
		}
		close(gate)
		settle()
		spread(t, 1000, hanging, other, third)
		if got := len(hanging.all()); got > 6 {
			t.Errorf("the member that hung got %d events", got)
		}
	})
}

func TestAGroupMayHaveMembersForSeveralTypes(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		_, s := subscribe(t, c.Node(0), "orders", Group("g"))
		err := Of[Cancelled](c.Node(0), "orders").Publish(t.Context(), Cancelled{})
		settle()
		if got := s.Stats(); err != nil || got != (Stats{Undecodable: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestPicksTakeTurns(t *testing.T) {
	r := newRoute([]*entry{
		{node: "c", group: "g", members: 3}, {node: "b", group: "g", members: 1}, {group: "g", sub: new(Subscription)},
	})
	g, got := r.group("g"), map[int]int{}
	for range 500 {
		got[g.pick()]++
	}
	if want := map[int]int{here: 100, 0: 100, 1: 300}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
