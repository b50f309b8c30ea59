package cluster_test

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// A process that is paused is a member for some seconds yet. What may be handled twice
// need not wait for it.
func TestWhatMayBeHandledTwiceDoesNotWaitForAProcessThatHangs(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		ref := workers(c.Node(2), cluster.WithBalancer(new(cluster.RoundRobin)))
		for range 4 { // the links are up
			if _, err := actor.Ask(within(t, time.Minute), ref, Again{}); err != nil {
				t.Fatal(err)
			}
		}
		held := askMany(within(t, time.Minute), ref, 2, Hold{}) // one at each
		on := map[string]bool{<-b.holding: true, <-b.holding: true}
		if !on["node-0"] || !on["node-1"] {
			t.Fatalf("they are held at %v", on)
		}
		hung := c.Network.Host("node-0")
		hung.Freeze()
		close(b.gate)
		began := time.Now()
		for range 20 {
			outcomes := askMany(within(t, 4*time.Second), ref, 4, Again{})
			for range 4 {
				if o := <-outcomes; o.err != nil || o.node != "node-1" || o.took > 1500*time.Millisecond {
					t.Errorf("%+v, %v after it hung", o, time.Since(began))
				}
			}
			<-time.After(100 * time.Millisecond)
		}
		// Nobody knows whether the other has been handled: it is waited for.
		if o := <-held; o.node != "node-1" || o.err != nil {
			t.Errorf("%+v", o)
		}
		select {
		case o := <-held:
			t.Errorf("while its node hung: %+v", o)
		default:
		}
		hung.Thaw()
		if o := <-held; o.node != "node-0" || o.err != nil {
			t.Errorf("%+v", o)
		}
		<-time.After(11 * time.Second) // it is not avoided any more
		on = map[string]bool{}
		for range 10 {
			node, err := actor.Ask(within(t, time.Second), ref, Again{})
			if err != nil {
				t.Error(err)
			}
			on[node] = true
		}
		if !on["node-0"] {
			t.Error("the node that goes on is not used")
		}
	})
}

// A slow handler is not a process that hangs.
func TestWhatTakesLongIsHandledOnce(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		b.serve(t, c, c.Node(0), c.Node(1))
		held := askMany(within(t, time.Minute), workers(c.Node(2)), 10, HoldAgain{})
		<-b.holding
		<-time.After(30 * time.Second)
		close(b.gate)
		for range 10 {
			if o := <-held; o.err != nil {
				t.Errorf("%v after %v", o.err, o.took)
			}
		}
		if more := len(b.holding) + 1 - 10; more > 0 {
			t.Errorf("%d of 10 requests were handled again", more)
		}
	})
}

// Nobody else can be asked instead of an actor.
func TestAnActorOfAProcessThatHangsIsWaitedFor(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		b := newBench()
		far := b.spawn(t, c.Node(0), c.Node(2))
		if _, err := actor.Ask(within(t, time.Minute), far, Again{}); err != nil {
			t.Fatal(err)
		}
		c.Network.Host("node-0").Freeze()
		time.AfterFunc(3*time.Second, c.Network.Host("node-0").Thaw)
		if _, err := actor.Ask(within(t, 4*time.Second), far, Again{}); err != nil {
			t.Error(err)
		}
	})
}

// Read is answered with so many bytes, and may be handled twice.
type Read struct {
	actor.Call[Worker, []byte]
	actor.Idempotent
	Bytes int
}

// An answer that takes long on its way is a sign of life.
func TestALargeAnswerOverASlowNetworkIsNotAskedForTwice(t *testing.T) {
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		asked := make(chan int, 100)
		reader := actor.Define("reader", func() struct{} { return struct{}{} },
			actor.OnCall(func(_ struct{}, _ *actor.Context, r Read) ([]byte, error) {
				asked <- r.Bytes
				return make([]byte, r.Bytes), nil
			}))
		if err := c.Node(0).Serve(reader); err != nil {
			t.Fatal(err)
		}
		c.AwaitService("reader", 1)
		ref := cluster.Service[Worker](c.Node(1), "reader")
		if _, err := actor.Ask(within(t, time.Minute), ref, Read{Bytes: 1}); err != nil {
			t.Fatal(err)
		}
		c.Network.SetDelay(300*time.Millisecond, 310*time.Millisecond) // it has a window for each round trip
		began := time.Now()
		answer, err := actor.Ask(within(t, time.Minute), ref, Read{Bytes: 3 << 20})
		if err != nil || len(answer) != 3<<20 {
			t.Errorf("%d bytes, %v", len(answer), err)
		}
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("it took %v: nothing was tested", took)
		}
		if n := len(asked); n != 2 {
			t.Errorf("it was asked for %d times", n-1)
		}
	})
}
