package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// TestEachWriteInAMinorityFailsWithinASecond has writers at all times, so that each finds
// others on their way.
func TestEachWriteInAMinorityFailsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		<-time.After(10 * time.Second)
		for _, n := range nodes {
			n.want("ready", "")
		}
		for _, n := range nodes {
			w.split(n.name)
		}
		var mu sync.Mutex
		slowest := time.Duration(0)
		var writers sync.WaitGroup
		for i := range 40 {
			n := nodes[i%len(nodes)]
			writers.Go(func() {
				<-time.After(time.Duration(i) * 37 * time.Millisecond)
				for range 5 {
					start := time.Now()
					_, err := persistence.Put(t.Context(), n, fmt.Sprint("k", i), nil)
					if code := actor.CodeOf(err); code != actor.Unavailable && code != actor.Unknown {
						t.Errorf("Put at %s: %v", n.name, err)
					}
					mu.Lock()
					slowest = max(slowest, time.Since(start))
					mu.Unlock()
				}
			})
		}
		writers.Wait()
		if slowest > time.Second {
			t.Errorf("the slowest has failed after %v", slowest)
		}
		w.heal()
		<-time.After(5 * time.Second)
	})
}

// TestAWriteThatWasDoneIsNotSaidToBeClosed has a node leave, and another be closed, under
// writers. What they are told is held against what is there.
func TestAWriteThatWasDoneIsNotSaidToBeClosed(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			nodes := w.three("a", "b", "c")
			<-time.After(5 * time.Second)
			n := w.leader()
			var mu sync.Mutex
			told := map[string]error{}
			var writers sync.WaitGroup
			for i := range 20 {
				writers.Go(func() {
					for j := 0; ; j++ {
						key := fmt.Sprintf("%d/%d", i, j)
						_, err := persistence.Put(context.Background(), n, key, nil)
						mu.Lock()
						told[key] = err
						mu.Unlock()
						if errors.Is(err, persistence.ErrClosed) {
							return
						}
						<-time.After(time.Millisecond)
					}
				})
			}
			<-time.After(300 * time.Millisecond)
			if graceful {
				n.leave(t.Context())
			} else {
				n.crash()
			}
			writers.Wait()
			<-time.After(10 * time.Second)
			other := nodes[0]
			if other == n {
				other = nodes[1]
			}
			unknown := 0
			for key, err := range told {
				_, missing := other.Get(t.Context(), key)
				there := missing == nil
				switch {
				case err == nil && !there:
					t.Errorf("%s was acknowledged, and is not there: %v", key, missing)
				case errors.Is(err, persistence.ErrClosed) && there:
					t.Errorf("%s is there, and its writer was told %v", key, err)
				case err != nil && !errors.Is(err, persistence.ErrClosed):
					if unknown++; !errors.Is(err, ErrOutcomeUnknown) {
						t.Errorf("%s: %v", key, err)
					}
				}
			}
			if graceful && unknown > 0 {
				t.Errorf("%d writers do not know what came of their writes, though the node has left in peace", unknown)
			}
		})
	}
}

// TestAnOutcomeThatIsNotKnownHasOneCode ends the context of a write while it is away.
func TestAnOutcomeThatIsNotKnownHasOneCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c")
		<-time.After(5 * time.Second)
		follower := pick(nodes, true, false)
		follower.want("ready", "")
		w.cutFrom(w.leader().name) // it gets the write, and its answer is lost
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := persistence.Put(ctx, follower, "k", nil)
		if actor.CodeOf(err) != actor.Unknown || !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put: %v", err)
		}
		if e := actor.AsError(err); e.NotRun {
			t.Errorf("%v says that nothing has happened", err)
		}
		w.heal()
		<-time.After(5 * time.Second)
	})
}

// TestOperationsOutliveAnElection kills leaders under operations that have time.
func TestOperationsOutliveAnElection(t *testing.T) {
	for seed := range seeds(3) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			nodes := w.three("a", "b", "c", "d")
			<-time.After(5 * time.Second)
			leader := w.leader()
			var running sync.WaitGroup
			end := time.Now().Add(6 * time.Second)
			for i, n := range nodes {
				if n == leader {
					continue
				}
				for j := range 4 {
					running.Go(func() {
						for time.Now().Before(end) {
							ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
							key := fmt.Sprint(i, j)
							if _, err := persistence.Put(ctx, n, key, nil); err != nil {
								t.Errorf("Put at %s: %v", n.name, err)
							}
							if _, err := n.Get(ctx, key); err != nil {
								t.Errorf("Get at %s: %v", n.name, err)
							}
							cancel()
							<-time.After(20 * time.Millisecond)
						}
					})
				}
			}
			<-time.After(time.Second)
			leader.crash()
			running.Wait()
		})
	}
}
