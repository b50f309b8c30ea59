package topic

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestTheEventsOfAConsumerThatCrashesGoToOthers(t *testing.T) {
	playDurable(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		gate := make(chan struct{})
		defer close(gate)
		j.subscribeWith(t, c.Node(3), "billing", func(Event[Placed]) error {
			<-gate
			return nil
		})
		orders := durable(c.Node(0))
		for i := range 30 {
			j.put(t, orders, Placed{N: i}, keyOf(i))
		}
		settle()
		hung := len(j.all)
		c.Crash(3)
		crashed := time.Now()
		j.subscribe(t, c.Node(0), "billing")
		j.subscribe(t, c.Node(1), "billing")
		j.await(t, "billing")
		settle()
		if n := j.judge(t); hung != 1 || n != 1 {
			t.Errorf("%d events hung, %d were handled again; want 1 and 1", hung, n)
		}
		marked := 0
		for _, h := range j.all[hung:] {
			if h.event.Attempt > 1 {
				marked++
			}
		}
		if marked == 0 {
			t.Error("no event that the crashed node had is marked")
		}
		if d := time.Since(crashed); d > 30*time.Second {
			t.Errorf("the events came after %v", d)
		}
	})
}

func TestPartitionsMoveWhenTheirOwnerCrashes(t *testing.T) {
	disturbOwner(t, func(t *testing.T, c *clustertest.Cluster, owner int) { c.Crash(owner) })
}

func TestPartitionsAreHandedOverWhenTheirOwnerLeaves(t *testing.T) {
	disturbOwner(t, func(t *testing.T, c *clustertest.Cluster, owner int) {
		if err := c.Node(owner).Leave(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// disturbOwner ends the node that owns the partition of a key, while others publish and
// consume.
func disturbOwner(t *testing.T, disturb func(t *testing.T, c *clustertest.Cluster, owner int)) {
	playDurable(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 4 {
			put(t, durable(c.Node(i)), Placed{"before", i}) // all use it
		}
		settle()
		all := owners(t, c.Node(0))
		// The publisher and consumers are on other nodes.
		owner := indexOf(t, c, all[0])
		at := (owner + 1) % 4
		for i := range 4 {
			if i != owner {
				j.subscribe(t, c.Node(i), "billing")
			}
		}
		var publishing sync.WaitGroup
		for p := range 4 {
			publishing.Go(func() {
				for n := range 50 {
					j.put(t, durable(c.Node(at)), Placed{fmt.Sprint("publisher ", p), n}, keyOf(p))
					<-time.After(20 * time.Millisecond)
				}
			})
		}
		<-time.After(200 * time.Millisecond)
		began := time.Now()
		disturb(t, c, owner)
		publishing.Wait()
		j.await(t, "billing")
		t.Logf("%v until everything was handled", time.Since(began))
		settle()
		t.Logf("%d redeliveries", j.judge(t))
		now := owners(t, c.Node(at))
		moved := 0
		for i := range all {
			if all[i] != now[i] {
				moved++
			}
			if all[i] != all[0] && now[i] != all[i] {
				t.Errorf("partition %d moved from %s to %s, though its owner is well", i, all[i], now[i])
			}
			if now[i] == all[0] {
				t.Errorf("partition %d is still with %s", i, now[i])
			}
		}
		if moved == 0 {
			t.Error("nothing moved")
		}
	})
}

func TestFewPartitionsMoveWhenANodeJoins(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 3 {
			j.subscribe(t, c.Node(i), "billing")
		}
		settle()
		before := owners(t, c.Node(0))
		for i := range 20 {
			j.put(t, durable(c.Node(0)), Placed{"before", i}, keyOf(i))
		}
		newcomer := c.Start("node-3")
		j.subscribe(t, newcomer, "billing")
		for i := range 20 {
			j.put(t, durable(newcomer), Placed{"after", i}, keyOf(i))
		}
		j.await(t, "billing")
		settle()
		j.judge(t)
		for i, o := range owners(t, c.Node(0)) {
			if o != before[i] && o != "node-3" {
				t.Errorf("partition %d moved from %s to %s", i, before[i], o)
			}
		}
	})
}

func TestTheLeaderOfTheStoreMayCrash(t *testing.T) {
	playDurable(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		put(t, durable(c.Node(0)), Placed{"before", 0})
		leader := indexOf(t, c, c.Node(0).Store().Leader())
		at := (leader + 1) % 4
		j.subscribe(t, c.Node(at), "billing")
		j.subscribe(t, c.Node((leader+2)%4), "billing")
		var publishing sync.WaitGroup
		for p := range 3 {
			publishing.Go(func() {
				for n := range 50 {
					j.put(t, durable(c.Node(at)), Placed{fmt.Sprint("publisher ", p), n}, keyOf(p))
					<-time.After(20 * time.Millisecond)
				}
			})
		}
		<-time.After(200 * time.Millisecond)
		c.Crash(leader)
		publishing.Wait()
		j.await(t, "billing")
		settle()
		t.Logf("%d redeliveries", j.judge(t))
	})
}

func TestAMinorityPublishesNothingAndTheMajorityGoesOn(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		j := newJournal()
		for i := range 3 {
			j.subscribe(t, c.Node(i), "billing")
		}
		for i := range 20 {
			j.put(t, durable(c.Node(0)), Placed{"before", i}, keyOf(i))
		}
		c.Network.Partition([]string{"node-2"})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var publishing sync.WaitGroup
		publishing.Go(func() {
			err := durable(c.Node(2)).Publish(ctx, Placed{"minority", 1}, ID("the same"), Key("ada"))
			wantCode(t, "publishing in a minority", err, actor.DeadlineExceeded)
		})
		for i := range 20 {
			j.put(t, durable(c.Node(0)), Placed{"majority", i}, keyOf(i))
		}
		j.await(t, "billing")
		publishing.Wait()
		c.Network.Heal()
		// Whatever became of it, it is one event now.
		put(t, durable(c.Node(2)), Placed{"minority", 1}, ID("the same"), Key("ada"))
		j.stored(Placed{"minority", 1}, "ada")
		for i := range 20 {
			j.put(t, durable(c.Node(2)), Placed{"healed", i}, keyOf(i))
		}
		j.await(t, "billing")
		settle()
		t.Logf("%d redeliveries", j.judge(t))
		firsts := 0
		for _, h := range j.all {
			if h.event.Value.From == "minority" && h.event.Attempt == 1 {
				firsts++
			}
		}
		if firsts > 1 {
			t.Errorf("an event that was published again is %d", firsts)
		}
	})
}

func TestDurableTopicsSurviveARestartOfAllNodes(t *testing.T) {
	dirs := []string{clustertest.TempDir(t), clustertest.TempDir(t), clustertest.TempDir(t)}
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		for i, dir := range dirs {
			c.Start(fmt.Sprint("node-", i), cluster.WithStateDir(dir), cluster.WithExpect(3))
		}
		c.AwaitMembers(3)
		j := newJournal()
		s := j.subscribe(t, c.Node(1), "billing")
		for i := range 20 {
			j.put(t, durable(c.Node(0)), Placed{"before", i}, keyOf(i))
		}
		j.await(t, "billing")
		settle()
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range 20 {
			j.put(t, durable(c.Node(0)), Placed{"meanwhile", i}, keyOf(i))
		}
		for i := range 3 {
			c.Crash(i)
		}
		for i, dir := range dirs {
			<-c.Node(i).Done()
			c.Restart(i, cluster.WithStateDir(dir))
		}
		c.AwaitMembers(3)
		j.subscribe(t, c.Node(2), "billing")
		j.await(t, "billing")
		for i := range 20 {
			j.put(t, durable(c.Node(1)), Placed{"after", i}, keyOf(i))
		}
		j.await(t, "billing")
		settle()
		if n := j.judge(t); n != 0 || len(j.all) != 60 {
			t.Errorf("%d handlings, %d of them again; want 60: what was acknowledged long ago does not come again", len(j.all), n)
		}
	})
}

// Of what a member had when its node crashed, only the event that it was handling can be
// to blame.
func TestAnEventThatEndsItsNodesIsADeadLetterAndNoOther(t *testing.T) {
	playDurable(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		const attempts = 2
		j := newJournal()
		orders := durable(c.Node(0))
		letters := deadLetters(t, c.Node(0))
		gate := make(chan struct{})
		defer close(gate)
		poisoned := make(chan struct{}, 1)
		join := func(i int) {
			j.subscribeWith(t, c.Start(fmt.Sprint("node-", i)), "billing", func(e Event[Placed]) error {
				if e.Value.From == "poison" {
					poisoned <- struct{}{}
					<-gate
				}
				return nil
			}, MaxAttempts(attempts))
		}
		victim := 3
		join(victim)
		for i := range 10 {
			j.put(t, orders, Placed{N: i}, "ada")
			j.put(t, orders, Placed{N: 100 + i}, keyOf(i))
		}
		put(t, orders, Placed{"poison", 0}, Key("ada"))
		for i := range 10 {
			j.put(t, orders, Placed{N: 200 + i}, "ada")
			j.put(t, orders, Placed{N: 300 + i}, keyOf(i))
		}
		var letter Event[DeadLetter]
		for letter.Value.Error == "" {
			select {
			case <-poisoned:
				c.Crash(victim)
				victim++
				join(victim)
			case letter = <-letters:
			case <-time.After(time.Minute):
				t.Fatalf("node %d handles nothing: %+v", victim, inspectGroup(t, orders, "billing"))
			}
		}
		if d := letter.Value; d.Key != "ada" || d.Attempts != victim-3 || d.Attempts > attempts+2 {
			t.Errorf("after %d crashes: %+v", victim-3, d)
		}
		j.await(t, "billing")
		settle()
		j.judge(t)
		if g := inspectGroup(t, orders, "billing"); g.Lag != 0 || g.DeadLetters != 1 {
			t.Errorf("%+v", g)
		}
	})
}
