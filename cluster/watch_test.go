package cluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Guard is the protocol of an actor that watches workers.
type Guard struct{}

type WatchFor struct {
	actor.Call[Guard, string]
	Ref actor.Ref[Worker]
}

type Unwatch struct {
	actor.Call[Guard, string]
	Ref actor.Ref[Worker]
}

type guard struct{ seen chan actor.Terminated }

func (g *guard) watch(ctx *actor.Context, m WatchFor) (string, error) { return "", ctx.Watch(m.Ref) }

func (g *guard) unwatch(ctx *actor.Context, m Unwatch) (string, error) {
	ctx.Unwatch(m.Ref)
	return "", nil
}

func (g *guard) Terminated(_ *actor.Context, t actor.Terminated) { g.seen <- t }

func spawnGuard(t *testing.T, n *cluster.Node) (actor.Ref[Guard], <-chan actor.Terminated) {
	t.Helper()
	seen := make(chan actor.Terminated, 10)
	ref, err := actor.Spawn(n.System(), actor.Define("guard", func() *guard { return &guard{seen} },
		actor.OnCall((*guard).watch), actor.OnCall((*guard).unwatch)))
	if err != nil {
		t.Fatal(err)
	}
	return ref, seen
}

func watchFor(t *testing.T, g actor.Ref[Guard], ref actor.Ref[Worker]) {
	t.Helper()
	if _, err := actor.Ask(within(t, time.Minute), g, WatchFor{Ref: ref}); err != nil {
		t.Fatal(err)
	}
}

// How a remote actor ends, and what its watcher is told, how soon at most.
func TestAWatcherIsToldWhyARemoteActorEnded(t *testing.T) {
	for what, test := range map[string]struct {
		end  func(*clustertest.Cluster, actor.Ref[Worker]) error
		code actor.Code
		soon time.Duration
	}{
		"it stopped": {func(_ *clustertest.Cluster, ref actor.Ref[Worker]) error {
			return actor.Tell(ref, Stop{})
		}, actor.OK, 0},
		"it was stopped": {func(c *clustertest.Cluster, _ actor.Ref[Worker]) error {
			local, err := c.Node(0).System().Lookup("spawned", 0)
			if err != nil {
				return err
			}
			return c.Node(0).System().StopActor(context.Background(), local)
		}, actor.OK, 0},
		"its node left": {func(c *clustertest.Cluster, _ actor.Ref[Worker]) error {
			return c.Node(0).Leave(context.Background())
		}, actor.OK, time.Second},
		"its node crashed": {func(c *clustertest.Cluster, _ actor.Ref[Worker]) error {
			c.Crash(0)
			return nil
		}, actor.Unavailable, 15 * time.Second},
		"its node froze": {func(c *clustertest.Cluster, _ actor.Ref[Worker]) error {
			c.Network.Host("node-0").Freeze()
			time.AfterFunc(time.Minute, c.Network.Host("node-0").Thaw)
			return nil
		}, actor.Unavailable, 15 * time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				g, seen := spawnGuard(t, c.Node(1))
				ref := newBench().spawn(t, c.Node(0), c.Node(1))
				watchFor(t, g, ref)
				watchFor(t, g, ref) // twice is once
				synctest.Wait()
				began := time.Now()
				if err := test.end(c, ref); err != nil {
					t.Fatal(err)
				}
				told := <-seen
				code := actor.CodeOf(told.Reason)
				// A goodbye may overtake the word that the actor has stopped.
				overtaken := what == "its node left" && code == actor.Unavailable
				if told.Who != ref.Address() || code != test.code && !overtaken {
					t.Errorf("told %s: %v, want %v", told.Who, told.Reason, test.code)
				}
				if took := time.Since(began); took > test.soon {
					t.Errorf("it took %v", took)
				}
				<-time.After(2 * time.Minute)
				if len(seen) > 0 {
					t.Errorf("told again: %v", <-seen)
				}
			})
		})
	}
}

func TestWatchingAnActorThatIsGoneEndsAtOnce(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		g, seen := spawnGuard(t, c.Node(1))
		ref := newBench().spawn(t, c.Node(0), c.Node(1))
		if err := actor.Tell(ref, Stop{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		watchFor(t, g, ref)
		if told := <-seen; actor.CodeOf(told.Reason) != actor.NotFound {
			t.Error(told)
		}
	})
}

func TestAWatchOutlivesABrokenLink(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		g, seen := spawnGuard(t, c.Node(1))
		ref := newBench().spawn(t, c.Node(0), c.Node(1))
		watchFor(t, g, ref)
		synctest.Wait()
		c.Network.Partition([]string{"node-0"}, []string{"node-1"})
		local, err := c.Node(0).System().Lookup("spawned", 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Node(0).System().StopActor(t.Context(), local); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		c.Network.Heal()
		if told := <-seen; told.Reason != nil {
			t.Error(told)
		}
	})
}

func TestAnUnwatchedActorEndsUnnoticed(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		g, seen := spawnGuard(t, c.Node(1))
		ref := newBench().spawn(t, c.Node(0), c.Node(1))
		watchFor(t, g, ref)
		if _, err := actor.Ask(t.Context(), g, Unwatch{Ref: ref}); err != nil {
			t.Fatal(err)
		}
		if err := actor.Tell(ref, Stop{}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if len(seen) > 0 {
			t.Error(<-seen)
		}
	})
}

func TestAServiceCannotBeWatched(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		g, _ := spawnGuard(t, c.Node(0))
		_, err := actor.Ask(t.Context(), g, WatchFor{Ref: workers(c.Node(0))})
		wantCode(t, "Watch", err, actor.Unimplemented)
	})
}
