package lock_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/lock"
)

var restarts = flag.Int("restarts", 3, "how many nodes are restarted in turn")

// Nodes leave and come back in turn. What one of them holds then, the others get at once,
// and nobody who has five seconds fails to acquire.
func TestNoAcquisitionFailsInARollingRestart(t *testing.T) {
	t.Parallel()
	const size, waiters, names = 3, 3, 3
	dirs := make([]string, size)
	for i := range dirs {
		dirs[i] = clustertest.TempDir(t)
	}
	clustertest.Run(t, 0, func(t *testing.T, c *clustertest.Cluster) {
		c.Network.SetDelay(200*time.Microsecond, 3*time.Millisecond)
		r := &rolling{t: t, nodes: make([]*cluster.Node, size), stop: make(chan struct{})}
		for i := range size {
			r.nodes[i] = c.Start(fmt.Sprintf("node-%d", i), cluster.WithStateDir(dirs[i]), cluster.WithExpect(size))
		}
		c.AwaitMembers(size)
		must(t, acquire(t, c.Node(0), "first").Release(t.Context()))
		<-time.After(settled)
		for i := range size {
			for j := range waiters {
				r.running.Go(func() { r.work(i, fmt.Sprint("x", (i+j)%names)) })
			}
		}
		for k := range *restarts {
			<-time.After(time.Second)
			i := k % size
			n := c.Node(i)
			held, err := lock.Campaign(t.Context(), n, "leader", n.Name())
			must(t, err)
			r.set(i, nil)
			won := make(chan error, 1)
			began := time.Now()
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				next, err := lock.Campaign(ctx, c.Node((i+1)%size), "leader", "next")
				if err == nil && next.Term() <= held.Term() {
					err = fmt.Errorf("term %d after %d", next.Term(), held.Term())
				}
				if err == nil {
					err = next.Resign(ctx)
				}
				if took := time.Since(began); err == nil && took > time.Second {
					err = fmt.Errorf("the next leader waited for %v", took)
				}
				won <- err
			}()
			must(t, n.Leave(t.Context()))
			must(t, held.Resign(t.Context())) // it is over, and that is no error
			if err := <-won; err != nil {
				t.Errorf("after %s left: %v", n.Name(), err)
			}
			r.set(i, c.Restart(i, cluster.WithStateDir(dirs[i]), cluster.WithExpect(size)))
		}
		<-time.After(2 * time.Second)
		close(r.stop)
		r.running.Wait()
		t.Logf("%d acquired, %d failed", r.acquired, r.failed)
		if r.acquired < 100 {
			t.Error("too few to tell anything")
		}
	})
}

// rolling is who acquires and releases meanwhile.
type rolling struct {
	t       *testing.T
	stop    chan struct{}
	running sync.WaitGroup

	mu               sync.Mutex
	nodes            []*cluster.Node // nil for one that leaves
	acquired, failed int
}

func (r *rolling) set(i int, n *cluster.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[i] = n
}

func (r *rolling) isLeaving(i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[i] == nil
}

func (r *rolling) work(i int, name string) {
	for {
		select {
		case <-r.stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		r.mu.Lock()
		n := r.nodes[i]
		r.mu.Unlock()
		if n == nil {
			continue
		}
		err := hold(n, name)
		if err != nil && r.isLeaving(i) && actor.CodeOf(err) == actor.Unavailable {
			continue // it was asked before its node began to leave
		}
		r.mu.Lock()
		if r.acquired++; err != nil {
			r.failed++
			r.t.Errorf("%v: %s on %s: %v", time.Now().Format("05.000"), name, n.Name(), err)
		}
		r.mu.Unlock()
	}
}

// hold acquires a lock within five seconds, and releases it soon.
func hold(n *cluster.Node, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l, err := lock.Acquire(ctx, n, name)
	if err != nil {
		return err
	}
	<-time.After(5 * time.Millisecond)
	if err := l.Release(ctx); err != nil {
		return fmt.Errorf("releasing: %w", err)
	}
	return nil
}
