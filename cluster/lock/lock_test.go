package lock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

func TestWhoWaitsGetsTheLockInTheOrderOfAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		nodes := []*fakeNode{w.node("a"), w.node("b")}
		now := mustAcquire(t, nodes[0], "x")
		var waiting []*pending
		for i := range 6 {
			waiting = append(waiting, nodes[i%2].begin("x")) // also two of one node
			synctest.Wait()
		}
		for i, next := range waiting {
			if next.over() {
				t.Fatalf("waiter %d does not wait: %v", i, next.err)
			}
			if err := now.Err(); err != nil || lost(now) {
				t.Fatal("the holder has lost it:", err)
			}
			must(t, now.Release(t.Context()))
			l := next.acquired(t)
			if l.Token() <= now.Token() {
				t.Errorf("token %d after %d", l.Token(), now.Token())
			}
			now = l
			synctest.Wait()
		}
		must(t, now.Release(t.Context()))
		if left := append(w.keys("lock/"), w.keys("owned/")...); len(left) > 0 {
			t.Error("left behind:", left)
		}
	})
}

func TestTryAcquireDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		l, err := acquire(t.Context(), a, "x", nil, true)
		must(t, err)
		before := w.store.Stats().Transactions
		for _, n := range []*fakeNode{a, b} {
			if _, err := acquire(t.Context(), n, "x", nil, true); !errors.Is(err, ErrHeld) || !errors.Is(err, actor.FailedPrecondition) {
				t.Errorf("%s got %v, want ErrHeld", n.name, err)
			}
		}
		if n := w.store.Stats().Transactions - before; n > 1 { // that opens the session of b
			t.Errorf("%d transactions to find out that it is held", n)
		}
		reader := b.begin("shared", Shared())
		reader.acquired(t)
		writer := a.begin("shared")
		synctest.Wait()
		if _, err := acquire(t.Context(), b, "shared", []Option{Shared()}, true); !errors.Is(err, ErrHeld) {
			t.Errorf("a reader overtook the writer that waits: %v", err)
		}
		must(t, l.Release(t.Context()))
		if _, err = acquire(t.Context(), b, "x", nil, true); err != nil {
			t.Error("it is free:", err)
		}
		writer.cancel()
	})
}

// Somebody comes between the look and the record.
func TestTryAcquireThatComesSecondLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		w.onList(func() {
			w.onList(nil)
			mustAcquire(t, a, "x")
		})
		if _, err := acquire(t.Context(), b, "x", nil, true); !errors.Is(err, ErrHeld) {
			t.Errorf("got %v, want ErrHeld", err)
		}
		if keys := w.keys("lock/"); len(keys) != 1 {
			t.Error("in the queue:", keys)
		}
	})
}

func TestReleaseIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node("a")
		l := mustAcquire(t, n, "x")
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { must(t, l.Release(t.Context())) })
		}
		group.Wait()
		if err := l.Err(); !errors.Is(err, ErrReleased) || !lost(l) {
			t.Errorf("after Release: %v, lost %v", err, lost(l))
		}
		again := mustAcquire(t, n, "x")
		must(t, l.Release(t.Context()))
		if err := again.Err(); err != nil || len(w.keys("lock/queue/")) != 1 {
			t.Error("Release took the lock of another:", err)
		}
	})
}

func TestTheWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		first := mustAcquire(t, a, "x")
		gone := a.begin("x")
		synctest.Wait()
		third := a.begin("x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := acquire(ctx, a, "x", nil, false)
		if !errors.Is(err, actor.DeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		gone.cancel()
		<-gone.done
		if !errors.Is(gone.err, actor.Canceled) {
			t.Error(gone.err)
		}
		if keys := w.keys("lock/"); len(keys) != 2 {
			t.Error("in the queue:", keys)
		}
		must(t, first.Release(t.Context()))
		third.acquired(t)
		if _, err := acquire(ctx, a, "x", nil, false); !errors.Is(err, actor.DeadlineExceeded) {
			t.Error("a context that has ended:", err)
		}
	})
}

func TestLostClosesBeforeAnybodyElseHoldsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		l := mustAcquire(t, a, "x")
		next := b.begin("x")
		synctest.Wait()
		s := a.lose()
		synctest.Wait()
		if !lost(l) || !errors.Is(l.Err(), ErrLost) || next.over() {
			t.Errorf("lost %v, %v, next %v", lost(l), l.Err(), next.over())
		}
		s.expire(w)
		if got := next.acquired(t); got.Token() <= l.Token() {
			t.Errorf("token %d after %d", got.Token(), l.Token())
		}
		must(t, l.Release(t.Context()))
		if err := l.Err(); !errors.Is(err, ErrLost) {
			t.Error("after Release of a lost lock:", err)
		}
	})
}

// As in a process that was stopped: the clock says so before any goroutine has run.
func TestErrJudgesByTheClock(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	l := mustAcquire(t, a, "x")
	a.session.lose(false)
	if err := l.Err(); !errors.Is(err, ErrLost) || !errors.Is(err, actor.Unavailable) && !strings.Contains(err.Error(), "run out") {
		t.Error("Err says", err)
	}
	if !lost(l) {
		t.Error("Err knows, and Lost does not")
	}
}

func TestADeletedRecordEndsTheLock(t *testing.T) {
	for _, broken := range []bool{false, true} {
		t.Run(fmt.Sprintf("watch broken %v", broken), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				l := mustAcquire(t, w.node("a"), "x")
				synctest.Wait()
				if broken {
					must(t, l.Release(t.Context()))
					w.onWatch(func() error { return persistence.ErrHistoryGone })
					l = mustAcquire(t, w.node("b"), "x")
				}
				<-time.After(time.Minute)
				if lost(l) {
					t.Fatal("lost by itself:", l.Err())
				}
				_, err := persistence.Delete(t.Context(), w.store, l.place.key)
				must(t, err)
				<-l.Lost()
				if err := l.Err(); !errors.Is(err, ErrLost) {
					t.Error(err)
				}
			})
		})
	}
}

func TestAWaiterWhoseSessionEndsQueuesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.node("a"), w.node("b"), w.node("c")
		l := mustAcquire(t, a, "x")
		second := b.begin("x")
		synctest.Wait()
		third := c.begin("x")
		synctest.Wait()
		b.end()
		synctest.Wait()
		if second.over() {
			t.Fatal("no longer waits:", second.err)
		}
		must(t, l.Release(t.Context()))
		must(t, third.acquired(t).Release(t.Context()))
		if l := second.acquired(t); l.session.ID() != "b-2" {
			t.Error("its session is", l.session.ID())
		}
	})
}

// The session ends after the record was the first, and before Acquire has returned.
func TestALockThatIsLostAlreadyIsNotReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		w.onList(func() {
			w.onList(nil)
			a.end()
		})
		l := mustAcquire(t, a, "x")
		if l.session.ID() != "a-2" || l.Err() != nil {
			t.Errorf("held by %s: %v", l.session.ID(), l.Err())
		}
	})
}

// The cluster has ended the session, and the node learns that from its record being
// refused.
func TestAcquireInASessionThatOthersHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		must(t, mustAcquire(t, a, "x").Release(t.Context()))
		a.session.expire(w)
		next := a.begin("x")
		synctest.Wait()
		if next.over() {
			t.Fatal("the session has not ended here:", next.err)
		}
		a.lose()
		next.acquired(t)
	})
}

func TestWithoutTheStoreAcquireSaysUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		mustAcquire(t, a, "x")
		away := actor.Errorf(actor.Unavailable, "no quorum")

		waiting := b.begin("x")
		synctest.Wait()
		b.goAway(away)
		b.end()
		<-waiting.done
		_, err := acquire(t.Context(), b, "x", nil, false)
		for what, err := range map[string]error{"waiting": waiting.err, "asking": err} {
			if !errors.Is(err, actor.Unavailable) || !strings.Contains(err.Error(), `lock "x"`) {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.goAway(nil)
		w.onWatch(func() error { return actor.Errorf(actor.DataLoss, "broken") })
		if _, err := acquire(t.Context(), b, "x", nil, false); !errors.Is(err, actor.DataLoss) {
			t.Error("the watch broke:", err)
		}
		if keys := w.keys("lock/"); len(keys) != 1 {
			t.Error("in the queue:", keys)
		}
	})
}

func TestAWaitThatOutlastsTheHistoryGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		l := mustAcquire(t, a, "x")
		synctest.Wait()
		var watches atomic.Int32
		w.onWatch(func() error {
			if watches.Add(1) <= 3 {
				return persistence.ErrHistoryGone
			}
			return nil
		})
		next := b.begin("x")
		synctest.Wait()
		must(t, l.Release(t.Context()))
		next.acquired(t)
	})
}

func TestAThousandWaitersCostAWatchEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiters := 1000
		if raceEnabled {
			waiters = 100
		}
		w := newWorld(t)
		a := w.node("a")
		l := mustAcquire(t, a, "x")
		all := make([]*pending, waiters)
		for i := range all {
			all[i] = a.begin("x")
		}
		synctest.Wait()
		before := w.store.Stats()
		if before.Watchers != uint64(waiters)+1 {
			t.Errorf("%d watches for a holder and %d waiters", before.Watchers, waiters)
		}
		<-time.After(time.Minute)
		if after := w.store.Stats(); after.Reads != before.Reads || after.Lists != before.Lists || after.Transactions != before.Transactions {
			t.Errorf("waiting has cost %+v, after %+v", after, before)
		}
		must(t, l.Release(t.Context()))
		synctest.Wait()
		if n := w.store.Stats().Lists - before.Lists; n != 1 {
			t.Errorf("%d waiters looked at the queue, want the next one alone", n)
		}
		for _, p := range all {
			p.cancel()
		}
		for _, p := range all {
			if <-p.done; p.lock != nil {
				must(t, p.lock.Release(t.Context()))
			}
		}
	})
}

func TestNamesAreApart(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	for _, name := range []string{"a", "a/b", "a%2Fb", "a b", ".", "..", "\xff", "ä", strings.Repeat("/", maxNameSize)} {
		l, err := acquire(t.Context(), a, name, nil, true)
		if err != nil || l.Name() != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := campaign(t.Context(), a, "a", ""); err != nil {
		t.Error("an election with the name of a lock:", err)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	for what, f := range map[string]func() error{
		"no name":             func() error { _, err := acquire(t.Context(), a, "", nil, false); return err },
		"a long name":         func() error { _, err := acquire(t.Context(), a, strings.Repeat("x", 1025), nil, true); return err },
		"no election":         func() error { _, err := campaign(t.Context(), a, "", ""); return err },
		"inspecting nothing":  func() error { _, err := inspect(t.Context(), a, ""); return err },
		"no permits":          func() error { _, err := acquire(t.Context(), a, "x", []Option{Permits(0, 1)}, false); return err },
		"of none":             func() error { _, err := acquire(t.Context(), a, "x", []Option{Permits(1, 0)}, false); return err },
		"more than there are": func() error { _, err := acquire(t.Context(), a, "x", []Option{Permits(3, 2)}, false); return err },
		"too many":            func() error { _, err := acquire(t.Context(), a, "x", []Option{Permits(1, 1<<31)}, false); return err },
		"shared permits": func() error {
			_, err := acquire(t.Context(), a, "x", []Option{Permits(1, 2), Shared()}, false)
			return err
		},
		"a value of megabytes": func() error {
			_, err := acquire(t.Context(), a, "x", []Option{WithValue(strings.Repeat("x", 8<<20))}, false)
			return err
		},
	} {
		if err := f(); !errors.Is(err, actor.InvalidArgument) {
			t.Errorf("%s: %v, want InvalidArgument", what, err)
		}
	}
	if keys := w.keys("lock/"); len(keys) > 0 {
		t.Error("left behind:", keys)
	}
}

func TestARecordThatIsNotUnderstoodIsNotPassedOver(t *testing.T) {
	w := newWorld(t)
	a := w.node("a")
	_, err := persistence.Put(t.Context(), w.store, "lock/queue/x/2.1.new", nil)
	must(t, err)
	if _, err := acquire(t.Context(), a, "x", nil, false); !errors.Is(err, actor.DataLoss) || !strings.Contains(err.Error(), "2.1.new") {
		t.Error("Acquire:", err)
	}
	_, err = persistence.Put(t.Context(), w.store, "lock/queue/y/1.1.new", []byte("?"))
	must(t, err)
	if _, err := inspect(t.Context(), a, "y"); !errors.Is(err, actor.DataLoss) {
		t.Error("Inspect:", err)
	}
}
