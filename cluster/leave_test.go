package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

func TestPeersKnowWithinASecondThatANodeHasLeft(t *testing.T) {
	clustertest.Run(t, 5, func(t *testing.T, c *clustertest.Cluster) {
		leave(t, c.Node(4))
		left := time.Now()
		c.AwaitMembers(4)
		if took := time.Since(left); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAllNodesMayLeaveAtOnce(t *testing.T) {
	clustertest.Run(t, 5, func(t *testing.T, c *clustertest.Cluster) {
		began := time.Now()
		var leaving sync.WaitGroup
		for _, n := range c.Nodes() {
			leaving.Go(func() { leave(t, n) })
		}
		leaving.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestLeaveMayBeCalledAgainAndConcurrently(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		var leaving sync.WaitGroup
		for range 10 {
			leaving.Go(func() { leave(t, c.Node(0)) })
		}
		leaving.Wait()
		leave(t, c.Node(0))
		select {
		case <-c.Node(0).Done():
		default:
			t.Error("Done is open after Leave")
		}
		if err := c.Node(0).Err(); err != nil {
			t.Error("Err after Leave:", err)
		}
	})
}

func TestANodeThatHasLeftRefusesEverything(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n, b := c.Node(0), newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		service := workers(n)
		here := b.spawn(t, n, n)
		there := b.spawn(t, c.Node(1), n)
		leave(t, n)
		began := time.Now()
		ctx := context.Background()
		for what, ref := range map[string]actor.Ref[Worker]{"service": service, "local": here, "remote": there} {
			_, err := actor.Ask(ctx, ref, Where{})
			if code := actor.CodeOf(err); code != actor.Unavailable && code != actor.NotFound {
				t.Errorf("Ask of the %s: %v", what, err)
			}
			err = actor.Tell(ref, Note{})
			if code := actor.CodeOf(err); code != actor.Unavailable && code != actor.NotFound {
				t.Errorf("Tell to the %s: %v", what, err)
			}
		}
		if _, err := actor.Ask(ctx, service, Where{}); !errors.Is(err, cluster.ErrLeft) {
			t.Errorf("Ask: %v, want ErrLeft", err)
		}
		wantCode(t, "Serve", n.Serve(b.worker("other")), actor.Unavailable)
		if _, err := there.Address().Recipient().Watch(func(error) {}); actor.CodeOf(err) != actor.Unavailable {
			t.Errorf("Watch: %v", err)
		}
		if n.Name() != "node-0" || len(n.Instances("worker")) > 1 || len(n.Members()) == 0 {
			t.Error(n.Name(), n.Instances("worker"), n.Members())
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestLeaveInterruptsAHandlerWhenItsContextEnds(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0))
		asked := make(chan error)
		go func() {
			_, err := actor.Ask(within(t, time.Hour), workers(c.Node(1)), Hold{})
			asked <- err
		}()
		<-b.holding
		left := make(chan error)
		began := time.Now()
		go func() { left <- c.Node(0).Leave(within(t, 3*time.Second)) }()
		if err := <-asked; err == nil {
			t.Error("the interrupted call succeeded")
		}
		if err := <-b.ended; err == nil {
			t.Error("the handler's context did not end")
		}
		wantCode(t, "Leave", <-left, actor.DeadlineExceeded)
		if took := time.Since(began); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("it took %v of 3 seconds", took)
		}
		stopped := time.Now()
		if err := c.Node(1).Await(within(t, time.Minute), func() bool { return len(c.Node(1).Members()) == 1 }); err != nil {
			t.Error(err)
		}
		if took := time.Since(stopped); took > time.Second {
			t.Errorf("the other node knew after %v", took)
		}
	})
}

// A node that leaves under load answers, or turns away, whatever reaches it: no
// caller notices, even where messages are not idempotent and the network is slow.
func TestLeavingUnderLoadLosesNoCall(t *testing.T) {
	for name, delay := range map[string][2]time.Duration{
		"fast": {}, "slow": {time.Millisecond, 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
				b := newBench()
				b.serve(t, c, c.Node(0), c.Node(1), c.Node(2))
				c.Network.SetDelay(delay[0], delay[1])
				var done atomic.Bool
				var calls atomic.Int64
				var asking sync.WaitGroup
				for range 32 {
					asking.Go(func() {
						for !done.Load() {
							if _, err := actor.Ask(within(t, time.Minute), workers(c.Node(3)), Where{}); err != nil {
								t.Error(err)
								return
							}
							calls.Add(1)
							<-time.After(5 * time.Millisecond)
						}
					})
				}
				<-time.After(time.Second)
				leave(t, c.Node(0))
				<-time.After(time.Second)
				leave(t, c.Node(1))
				<-time.After(time.Second)
				done.Store(true)
				asking.Wait()
				if b.runsOn("node-0") == 0 || b.runsOn("node-1") == 0 || calls.Load() < 1000 {
					t.Error("the load was not spread", calls.Load())
				}
			})
		})
	}
}

// TestLeaveEndsWithItsContext has what users write stand in the way: a handler and a function
// of OnLeave that do not watch their contexts.
func TestLeaveEndsWithItsContext(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		release := make(chan struct{})
		stubborn := actor.Define("stubborn", func() *stubbornWorker { return &stubbornWorker{release} },
			actor.OnCast((*stubbornWorker).note))
		ref, err := actor.Spawn(n.System(), stubborn)
		if err != nil {
			t.Fatal(err)
		}
		if err := actor.Tell(ref, Note{}); err != nil {
			t.Fatal(err)
		}
		n.OnLeave(func(context.Context) { panic("of the user") })
		n.OnLeave(func(context.Context) { <-release })
		<-time.After(time.Second)
		began := time.Now()
		err = n.Leave(within(t, 4*time.Second))
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v of 4 seconds", took)
		}
		if err == nil || !strings.Contains(err.Error(), "stubborn") {
			t.Errorf("Leave does not say what has not ended: %v", err)
		}
		close(release)
		<-n.Done()
	})
}

type stubbornWorker struct{ release chan struct{} }

func (w *stubbornWorker) note(*actor.Context, Note) error {
	<-w.release
	return nil
}
