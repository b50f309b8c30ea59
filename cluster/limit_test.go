package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Nodes with another WithMaxMessage: what does not fit fails alone, here, and says both limits.
func TestALargeMessageForANodeThatTakesSmallOnesFailsAlone(t *testing.T) {
	const large, small = 16 << 20, 1 << 20
	var b *bench
	dead := func(d actor.DeadLetter) { b.deadLetter(d) }
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		b = newBench()
		other := c.Start("small", cluster.WithMaxMessage(small))
		c.AwaitMembers(2)
		in := b.spawn(t, other, c.Node(0), actor.WithName("in"))
		out := b.spawn(t, c.Node(0), other, actor.WithName("out"))
		back := b.spawn(t, other, other, actor.WithName("held"))
		unrelated := make(chan error, 20)
		for range cap(unrelated) { // on all lanes
			held := b.spawn(t, other, c.Node(0), actor.WithUniqueName())
			go func() {
				_, err := actor.Ask(t.Context(), held, Hold{})
				unrelated <- err
			}()
		}
		for range cap(unrelated) {
			select {
			case <-b.holding:
			case err := <-unrelated:
				t.Fatal("an unrelated call:", err)
			}
		}
		wantBoth := func(what string, err error, code actor.Code, notRun bool) {
			t.Helper()
			wantCode(t, what, err, code)
			for _, part := range []string{fmt.Sprint(large), fmt.Sprint(small)} {
				if !strings.Contains(fmt.Sprint(err), part) {
					t.Errorf("%s: nothing of %s in: %v", what, part, err)
				}
			}
			if err != nil && actor.AsError(err).NotRun != notRun {
				t.Errorf("%s: NotRun is %v: %v", what, !notRun, err)
			}
		}
		_, err := actor.Ask(t.Context(), in, Echo{Text: make([]byte, large-1000)})
		wantBoth("a request", err, actor.InvalidArgument, true)
		wantBoth("a message", actor.Tell(in, Echo{Text: make([]byte, large-1000)}), actor.InvalidArgument, true)
		wantBoth("a message with a context", actor.TellContext(t.Context(), in, Echo{Text: make([]byte, large-1000)}), actor.InvalidArgument, true)
		_, err = actor.Ask(t.Context(), out, Grow{Bytes: large - 1000})
		wantBoth("a reply", err, actor.ResourceExhausted, false)
		if got, err := actor.Ask(t.Context(), in, Grow{Bytes: small - 1000}); err != nil || len(got) != small-1000 {
			t.Errorf("at the limit: %d bytes, %v", len(got), err)
		}
		if got, err := actor.Ask(t.Context(), back, Echo{Text: make([]byte, large)}); err != nil || len(got) != large {
			t.Errorf("on one node: %d bytes, %v", len(got), err)
		}
		close(b.gate)
		for range cap(unrelated) {
			if err := <-unrelated; err != nil {
				t.Fatal("an unrelated call:", err)
			}
		}
		<-time.After(time.Second)
		if dead := b.deadLetters(); len(dead) != 0 {
			t.Errorf("%+v", dead)
		}
	}, cluster.WithMaxMessage(large), cluster.WithActors(actor.WithDeadLetters(dead)))
}
