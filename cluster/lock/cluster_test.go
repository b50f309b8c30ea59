package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/lock"
)

// settled is when every node has a vote.
const settled = 30 * time.Second

// patience is how long a test waits for what must happen, in its own time.
const patience = time.Minute

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func acquire(t testing.TB, n *cluster.Node, name string, options ...lock.Option) *lock.Lock {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := lock.Acquire(ctx, n, name, options...)
	must(t, err)
	return l
}

// waiting is a call of Acquire in a goroutine.
type waiting struct {
	lock *lock.Lock
	err  error
	done chan struct{}
}

func wait(t testing.TB, n *cluster.Node, name string, options ...lock.Option) *waiting {
	w := &waiting{done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	go func() {
		defer close(w.done)
		w.lock, w.err = lock.Acquire(ctx, n, name, options...)
	}()
	return w
}

func over[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestALockGoesFromNodeToNode(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		now := acquire(t, c.Node(0), "x")
		for i := range 6 {
			next := wait(t, c.Node((i+1)%3), "x")
			<-time.After(time.Second)
			if over(next.done) {
				t.Fatal("two hold it, or none:", next.err)
			}
			must(t, now.Release(t.Context()))
			<-next.done
			must(t, next.err)
			if next.lock.Token() <= now.Token() {
				t.Errorf("token %d after %d", next.lock.Token(), now.Token())
			}
			now = next.lock
		}
		state, err := lock.Inspect(t.Context(), c.Node(1), "x")
		must(t, err)
		if len(state.Holders) != 1 || state.Holders[0].Node != "node-0" || len(state.Waiters) > 0 {
			t.Errorf("%+v", state)
		}
	})
}

func TestALockOutlivesItsHolder(t *testing.T) {
	for _, end := range []string{"crashes", "leaves"} {
		t.Run("node "+end, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				l := acquire(t, c.Node(2), "x")
				next := wait(t, c.Node(0), "x")
				<-time.After(settled)
				start := time.Now()
				most := 5 * time.Second
				if end == "leaves" {
					most = time.Second / 2
					go func() { must(t, c.Node(2).Leave(t.Context())) }()
				} else {
					c.Crash(2)
				}
				<-next.done
				must(t, next.err)
				if next.lock.Token() <= l.Token() {
					t.Errorf("token %d after %d", next.lock.Token(), l.Token())
				}
				if took := time.Since(start); took > most {
					t.Errorf("it took %v", took)
				}
				if end == "crashes" {
					c.Restart(2)
				} else {
					<-c.Node(2).Done()
				}
				<-time.After(settled)
			})
		})
	}
}

func TestAHolderThatIsCutOffKnowsBeforeAnybodyElseHolds(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		l := acquire(t, c.Node(0), "x")
		behind, next := wait(t, c.Node(0), "x"), wait(t, c.Node(1), "x")
		<-time.After(settled)
		c.Network.Partition([]string{"node-0"}, []string{"node-1", "node-2"})
		<-l.Lost()
		if err := l.Err(); !errors.Is(err, lock.ErrLost) {
			t.Error(err)
		}
		synctest.Wait()
		if over(next.done) {
			t.Error("somebody held it before it was lost")
		}
		<-behind.done
		start := time.Now()
		_, err := lock.TryAcquire(t.Context(), c.Node(0), "y")
		for what, err := range map[string]error{"waiting": behind.err, "asking": err} {
			if !errors.Is(err, actor.Unavailable) {
				t.Errorf("%s in the minority: %v, want Unavailable", what, err)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the minority was refused after %v", took)
		}
		<-next.done
		must(t, next.err)
		c.Network.Heal()
		must(t, next.lock.Release(t.Context()))
		if again := acquire(t, c.Node(0), "x"); again.Token() <= next.lock.Token() {
			t.Errorf("token %d after %d", again.Token(), next.lock.Token())
		}
	})
}

func TestLeadersFollowEachOtherOnAllNodes(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		ctx, cancel := context.WithCancel(t.Context())
		var seen [2][]string
		for i := range seen {
			go func() {
				for l, err := range lock.Observe(ctx, c.Node(i), "e") {
					if err != nil {
						return
					}
					seen[i] = append(seen[i], fmt.Sprint(l.Node, l.Value))
				}
			}()
		}
		<-time.After(settled)
		first, err := lock.Campaign(t.Context(), c.Node(2), "e", "-a")
		must(t, err)
		won := make(chan *lock.Leadership, 1)
		go func() {
			l, err := lock.Campaign(ctx, c.Node(1), "e", "-b")
			if err == nil {
				won <- l
			}
		}()
		<-time.After(settled)
		c.Crash(2)
		second := <-won
		if second.Term() <= first.Term() {
			t.Errorf("term %d after %d", second.Term(), first.Term())
		}
		must(t, second.Resign(t.Context()))
		<-time.After(time.Second)
		cancel()
		synctest.Wait()
		c.Restart(2)
		<-time.After(settled)
		for i, s := range seen {
			if want := "[ node-2-a node-1-b ]"; fmt.Sprint(s) != want {
				t.Errorf("node %d saw %q, want %q", i, s, want)
			}
		}
	})
}

// Who waits on a node that leaves is told so, and does not queue anew in a session that
// nobody would close.
func TestAWaiterGoesWithItsNode(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		l := acquire(t, c.Node(0), "x")
		<-time.After(settled)
		c.Network.SetDelay(time.Millisecond, 5*time.Millisecond)
		gone := wait(t, c.Node(2), "x")
		<-time.After(time.Second)
		next := wait(t, c.Node(1), "x")
		<-time.After(time.Second)
		must(t, c.Node(2).Leave(t.Context()))
		<-gone.done
		if !errors.Is(gone.err, cluster.ErrLeft) {
			t.Errorf("waiting on the leaver: %v", gone.err)
		}
		state, err := lock.Inspect(t.Context(), c.Node(0), "x")
		must(t, err)
		if len(state.Waiters) != 1 || state.Waiters[0].Node != "node-1" {
			t.Errorf("waiting: %+v", state.Waiters)
		}
		start := time.Now()
		must(t, l.Release(t.Context()))
		<-next.done
		must(t, next.err)
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// A wait that is long says for what: in the log with the node that holds, and in the error.
func TestAWaitForALockSaysWhoHoldsIt(t *testing.T) {
	var logged lockedText
	clustertest.Run(t, 2, func(t *testing.T, c *clustertest.Cluster) {
		held := acquire(t, c.Node(0), "ledger")
		for _, patience := range []time.Duration{time.Second, 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := lock.Acquire(ctx, c.Node(1), "ledger")
			cancel()
			text := fmt.Sprint(err)
			if actor.CodeOf(err) != actor.DeadlineExceeded || !strings.Contains(text, "one holds it") || patience > 2*time.Second && !strings.Contains(text, "on node node-0") {
				t.Errorf("after %v: %v", patience, err)
			}
		}
		const notice = `lock: lock \"ledger\" is waited for: one holds it, on node node-0`
		if n := strings.Count(logged.String(), notice); n != 1 {
			t.Errorf("the log says so %d times:\n%s", n, logged.String())
		}
		must(t, held.Release(t.Context()))
	}, cluster.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
}

func TestAWaitForALockSaysThatTheStoreCannotBeReached(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		for _, patience := range []time.Duration{300 * time.Millisecond, 3 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := lock.Acquire(ctx, c.Node(0), "ledger")
			cancel()
			if code := actor.CodeOf(err); code != actor.DeadlineExceeded && code != actor.Unavailable || !strings.Contains(fmt.Sprint(err), "1 of the 3 nodes are there") {
				t.Errorf("after %v: %v", patience, err)
			}
		}
	}, cluster.WithExpect(3))
}

// lockedText is a log.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
