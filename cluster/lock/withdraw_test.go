package lock

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

var errAway = actor.NewError(actor.Unavailable, "it is not known whether it happened")

// enqueues reports whether t puts somebody into a queue.
func enqueues(t persistence.Transaction) bool {
	return strings.HasPrefix(t.Then[0].Key, lockQueues) && !t.Then[0].Delete
}

func TestAnUnknownOutcomeLeavesNothingInTheQueue(t *testing.T) {
	for what, happens := range map[string]string{"it happened": "at once", "it never did": "", "it happens later": "later"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.node("a")
				var late func() error
				w.onCommit(func(ctx context.Context, tx persistence.Transaction, next commit) (persistence.Revision, error) {
					if !enqueues(tx) {
						return next(ctx, tx)
					}
					switch happens {
					case "at once":
						_, err := next(ctx, tx)
						must(t, err)
					case "later":
						late = func() error { _, err := next(context.Background(), tx); return err }
					}
					return 0, errAway
				})
				if _, err := acquire(t.Context(), a, "x", nil, false); !errors.Is(err, actor.Unavailable) {
					t.Error(err)
				}
				if late != nil {
					if err := late(); !errors.Is(err, persistence.ErrConflict) {
						t.Error("the late write has happened:", err)
					}
				}
				w.onCommit(nil)
				if left := append(w.keys("lock/queue/"), w.keys("owned/")...); len(left) > 0 {
					t.Error("left behind:", left)
				}
				mustAcquire(t, a, "x")
				records, err := w.store.List(t.Context(), persistence.Query{Prefix: withdrawn})
				must(t, err)
				for _, r := range records {
					if r.Expires.IsZero() {
						t.Errorf("%s is left for ever", r.Key)
					}
				}
			})
		})
	}
}

func TestAReleaseThatFailsIsTriedAgainInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		l := mustAcquire(t, a, "x")
		next := b.begin("x")
		synctest.Wait()
		var attempts atomic.Int32
		w.onCommit(func(context.Context, persistence.Transaction, commit) (persistence.Revision, error) {
			attempts.Add(1)
			return 0, errAway
		})
		for range 2 {
			if err := l.Release(t.Context()); !errors.Is(err, actor.Unavailable) || !lost(l) {
				t.Errorf("Release: %v, lost %v", err, lost(l))
			}
		}
		<-time.After(10 * time.Second)
		if n := attempts.Load(); n < 5 || n > 15 || next.over() {
			t.Errorf("%d attempts in 10 s; next: %v", n, next.over())
		}
		w.onCommit(nil)
		next.acquired(t)
		must(t, l.Release(t.Context()))
		synctest.Wait()
		if n := a.system.Stats().Actors; n > 0 {
			t.Errorf("%d actors are left", n)
		}
	})
}

func TestReleaseWithAContextThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		l := mustAcquire(t, a, "x")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Release(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		mustAcquire(t, a, "x")
	})
}

func TestAWaiterThatCannotWithdrawReturnsInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		l := mustAcquire(t, a, "x")
		waiting := a.begin("x")
		synctest.Wait()
		w.onCommit(func(ctx context.Context, _ persistence.Transaction, _ commit) (persistence.Revision, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		start := time.Now()
		waiting.cancel()
		<-waiting.done
		if took := time.Since(start); took > time.Second || !errors.Is(waiting.err, actor.Canceled) {
			t.Errorf("%v after %v", waiting.err, took)
		}
		if n := len(w.keys("lock/queue/")); n != 2 {
			t.Errorf("%d in the queue", n)
		}
		w.onCommit(nil)
		must(t, l.Release(t.Context()))
		mustAcquire(t, a, "x") // not behind the one that gave up
	})
}

func TestTheBackgroundEndsWithTheSessionAndWithTheNode(t *testing.T) {
	for _, way := range []string{"session", "node"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.node("a")
				l := mustAcquire(t, a, "x")
				w.onCommit(func(ctx context.Context, _ persistence.Transaction, _ commit) (persistence.Revision, error) {
					<-ctx.Done()
					return 0, ctx.Err()
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := l.Release(ctx); !errors.Is(err, actor.DeadlineExceeded) {
					t.Error(err)
				}
				if way == "session" {
					a.lose()
					<-time.After(3 * time.Second)
				} else {
					must(t, a.system.Stop(context.Background()))
				}
				if n := a.system.Stats().Actors; n > 0 {
					t.Errorf("%d actors are left", n)
				}
				w.onCommit(nil)
			})
		})
	}
}

// Once the store says again what is in the queue, Acquire tries anew: a leader of the store
// that died on the way is no reason to fail.
func TestAnUnknownOutcomeIsTriedAgain(t *testing.T) {
	for what, happens := range map[string]bool{"it happened": true, "it never did": false} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.node("a")
				once := true
				w.onCommit(func(ctx context.Context, tx persistence.Transaction, next commit) (persistence.Revision, error) {
					if !enqueues(tx) || !once {
						return next(ctx, tx)
					}
					if once = false; happens {
						_, err := next(ctx, tx)
						must(t, err)
					}
					return 0, errAway
				})
				l := mustAcquire(t, a, "x")
				if n := len(w.keys("lock/queue/")); n != 1 {
					t.Errorf("%d in the queue", n)
				}
				must(t, l.Release(t.Context()))
			})
		})
	}
}

// What surely did not happen need not be taken back, which would take as long again.
func TestWhatWasNotRunIsNotWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.node("a")
		commits := 0
		w.onCommit(func(context.Context, persistence.Transaction, commit) (persistence.Revision, error) {
			commits++
			return 0, &actor.Error{Code: actor.Unavailable, Message: "no leader", NotRun: true}
		})
		if _, err := acquire(t.Context(), a, "x", nil, false); !errors.Is(err, actor.Unavailable) || commits != 1 {
			t.Errorf("%v after %d transactions", err, commits)
		}
		w.onCommit(nil)
	})
}

// A waiter keeps its place as long as its session holds, also while the store cannot say
// who is before it.
func TestAWaiterOutlivesAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		l := mustAcquire(t, a, "x")
		next := b.begin("x")
		synctest.Wait()
		away := time.Now().Add(2 * time.Second)
		w.onListError(func() error {
			if time.Now().Before(away) {
				return errAway
			}
			return nil
		})
		must(t, l.Release(t.Context()))
		next.acquired(t)
		if time.Now().Before(away) {
			t.Error("nobody had to look again")
		}
	})
}
