package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// Several senders tell several receivers while the network breaks and heals. What
// arrives is in order and at most once, and what does not is accounted for.
func TestCastsArriveInOrderAndAtMostOnce(t *testing.T) {
	const (
		senders   = 4
		receivers = 6 // on all lanes
		messages  = 400
	)
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := newBench()
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				dice := rand.New(rand.NewPCG(seed, 0))
				c.Network.SetDelay(0, 5*time.Millisecond)
				var refs []actor.Ref[Worker]
				for i := range receivers {
					refs = append(refs, b.spawn(t, c.Node(0), c.Node(1), actor.WithName(fmt.Sprint("r", i))))
				}
				var mu sync.Mutex
				accepted := map[string]int{}
				var sending sync.WaitGroup
				for s := range senders {
					for r, ref := range refs {
						sending.Go(func() {
							from := fmt.Sprintf("s%d-r%d", s, r)
							for i := range messages {
								if err := actor.Tell(ref, Note{From: from, N: i}); err == nil {
									mu.Lock()
									accepted[from]++
									mu.Unlock()
								}
								if i%10 == 0 {
									<-time.After(time.Second)
								}
							}
						})
					}
				}
				for range 4 {
					<-time.After(time.Duration(dice.Int64N(int64(10 * time.Second))))
					switch dice.IntN(3) {
					case 0: // shorter than the detection of failures
						c.Network.Partition([]string{"node-0"})
						<-time.After(time.Duration(dice.Int64N(int64(2 * time.Second))))
					case 1:
						c.Network.Cut("node-0", "node-1")
						<-time.After(time.Duration(dice.Int64N(int64(2 * time.Second))))
					case 2: // longer
						c.Network.Partition([]string{"node-0"})
						<-time.After(20 * time.Second)
					}
					c.Network.Heal()
				}
				sending.Wait()
				c.AwaitMembers(3)
				<-time.After(time.Minute)

				dead := len(b.deadLetters())
				got, want := 0, 0
				for from, n := range accepted {
					notes := b.notesOf(from)
					got, want = got+len(notes), want+n
					if !slices.IsSorted(notes) || len(slices.Compact(slices.Clone(notes))) != len(notes) {
						t.Errorf("%s arrived as %v", from, notes)
					}
				}
				if got > want || got+dead < want {
					t.Errorf("%d of %d arrived, and %d are dead letters", got, want, dead)
				}
				if got == 0 || got == want {
					t.Errorf("%d of %d arrived: nothing was tested", got, want)
				}
			}, cluster.WithActors(actor.WithDeadLetters(b.deadLetter)), cluster.WithTiming(cluster.Local))
		})
	}
}

func TestACrashTurnsWhatWasLostIntoDeadLetters(t *testing.T) {
	b := newBench()
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		ref := b.spawn(t, c.Node(0), c.Node(1))
		accepted := 0
		for i := range 1000 {
			if i == 500 {
				c.Crash(0)
			}
			if actor.Tell(ref, Note{From: "x", N: i}) == nil {
				accepted++
			}
		}
		<-time.After(time.Minute)
		notes := b.notesOf("x")
		if !slices.IsSorted(notes) || len(notes)+len(b.deadLetters()) < accepted || len(notes) > accepted {
			t.Errorf("%d of %d arrived, and %d are dead letters", len(notes), accepted, len(b.deadLetters()))
		}
		for _, d := range b.deadLetters() {
			if d.To != "actor://node-0/spawned" || d.Name != "cluster_test.Note" || actor.CodeOf(d.Reason) != actor.Unavailable {
				t.Fatalf("%+v", d)
			}
		}
		wantCode(t, "Tell", actor.Tell(ref, Note{}), actor.Unavailable)
	}, cluster.WithActors(actor.WithDeadLetters(b.deadLetter)))
}
