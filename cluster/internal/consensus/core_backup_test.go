package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/internal/consensus/link"
	"github.com/troupe-go/troupe/persistence"
)

// cluster starts as many voters, and two nodes without a replica, under names of its own.
func (w *world) cluster(voters int, prefix string) (nodes []*node) {
	w.t.Helper()
	for i := range voters + 2 {
		nodes = append(nodes, w.join(fmt.Sprint(prefix, i), func(c *Config) { c.Voters, c.Expect = voters, voters }))
	}
	return nodes
}

// as returns the node that leads, follows, or has no replica.
func (w *world) as(part string, nodes []*node) *node {
	leader := w.leader()
	switch part {
	case "leader":
		return leader
	case "follower":
		return pick(nodes, true, false)
	}
	return pick(nodes, false, false)
}

func parts() []string { return []string{"leader", "follower", "without replica"} }

func (n *node) backup() []byte {
	n.world.t.Helper()
	var b bytes.Buffer
	if err := n.Backup(n.world.t.Context(), &b); err != nil {
		n.world.t.Fatalf("Backup at %s: %v", n.name, err)
	}
	return b.Bytes()
}

// list returns what users keep, without revisions if they do not count.
func (n *node) list(revisions bool) (all []string) {
	n.world.t.Helper()
	records, err := n.List(context.Background(), persistence.Query{})
	if err != nil {
		n.world.t.Errorf("List at %s: %v", n.name, err)
	}
	for _, r := range records {
		if !revisions {
			r.Revision = 0
		}
		all = append(all, fmt.Sprintf("%q %d %v %d %v", r.Key, len(r.Value), r.Metadata, r.Revision, r.Expires.UnixNano()))
	}
	return all
}

func TestABackupIsOfOneRevisionWhileWritesGoOn(t *testing.T) {
	for _, part := range parts() {
		t.Run(part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				nodes := w.cluster(3, "a")
				nodes[0].put("ready", "")
				n := w.as(part, nodes)
				other := w.as("follower", nodes)
				acknowledged := 0
				write := func() {
					both := []persistence.Change{{Key: "x", Value: fmt.Append(nil, acknowledged+1)}, {Key: "y", Value: fmt.Append(nil, acknowledged+1)}}
					if _, err := other.Commit(context.Background(), persistence.Transaction{Then: both}); err != nil {
						t.Errorf("Commit: %v", err)
					}
					acknowledged++
				}
				for range 50 {
					write()
				}
				before := acknowledged
				stop := make(chan struct{})
				var writer sync.WaitGroup
				writer.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							write()
						}
					}
				})
				var slowly slowWriter
				if err := n.Backup(t.Context(), &slowly); err != nil {
					t.Fatal(err)
				}
				close(stop)
				writer.Wait()
				if acknowledged == before {
					t.Error("nothing was written during a backup")
				}
				if err := nodes[0].Restore(t.Context(), &slowly.Buffer); err != nil {
					t.Fatal(err)
				}
				x, err := nodes[1].Get(t.Context(), "x")
				if err != nil {
					t.Fatal(err)
				}
				nodes[1].want("y", string(x.Value))
				var count int
				if _, _ = fmt.Sscan(string(x.Value), &count); count < before || count > acknowledged {
					t.Errorf("the backup is as after write %d, when %d were acknowledged before it and %d after it", count, before, acknowledged)
				}
			})
		})
	}
}

// slowWriter takes a second for each write.
type slowWriter struct{ bytes.Buffer }

func (w *slowWriter) Write(p []byte) (int, error) {
	<-time.After(time.Second)
	return w.Buffer.Write(p)
}

func TestABackupInAMinorityIsUnavailable(t *testing.T) {
	for _, part := range parts() {
		t.Run(part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				nodes := w.cluster(3, "a")
				nodes[0].put("ready", "")
				n := w.as(part, nodes)
				whole := n.backup()
				w.split(n.name)
				<-time.After(10 * time.Second)
				start := time.Now()
				if err := n.Backup(t.Context(), io.Discard); !errors.Is(err, actor.Unavailable) || time.Since(start) > time.Second {
					t.Errorf("Backup, after %v: %v", time.Since(start), err)
				}
				start = time.Now()
				if err := n.Restore(t.Context(), bytes.NewReader(whole)); !errors.Is(err, actor.Unavailable) || time.Since(start) > time.Second {
					t.Errorf("Restore, after %v: %v", time.Since(start), err)
				}
				w.heal()
			})
		})
	}
}

func TestABackupThatIsBrokenOffFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.cluster(3, "a")
		nodes[0].put("large", string(make([]byte, 900<<10)))
		n := w.as("without replica", nodes)
		leader := w.leader()
		var some bytes.Buffer
		err := n.Backup(t.Context(), writerFunc(func(p []byte) (int, error) {
			if some.Len() == 0 {
				leader.crash()
			}
			return some.Write(p)
		}))
		if err == nil || some.Len() == 0 || some.Len() > 900<<10 {
			t.Errorf("%d bytes, %v", some.Len(), err)
		}
		w.leader() // the next one
		ctx, cancel := context.WithCancel(t.Context())
		err = n.Backup(ctx, writerFunc(func(p []byte) (int, error) {
			cancel()
			return len(p), nil
		}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that ends: %v", err)
		}
		full := errors.New("full")
		if err := n.Backup(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
			t.Errorf("with a writer that fails: %v", err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestABackupThatNobodyTakesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.cluster(3, "a")
		nodes[0].put("large", string(make([]byte, 900<<10)))
		n := w.as("without replica", nodes)
		stalls := func(p []byte) (int, error) {
			<-time.After(2 * link.BackupPatience)
			return len(p), nil
		}
		if err := n.Backup(t.Context(), writerFunc(stalls)); err == nil {
			t.Error("it was not given up")
		}
		leader := w.leader().local()
		if peers := leader.streams.Peers(); slices.Contains(peers, n.name) {
			t.Errorf("the connection is still there: %q", peers)
		}
	})
}

func TestAClosedCoreMakesNoBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		n := w.join("a")
		n.put("k", "")
		whole := n.backup()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := n.Backup(t.Context(), io.Discard); !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
		if err := n.Restore(t.Context(), bytes.NewReader(whole)); !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
	})
}

// sameEverywhere checks that all replicas come to hold the same, and returns it.
func (w *world) sameEverywhere() []string {
	w.t.Helper()
	var want []string
	for _, name := range w.names() {
		n := w.nodes[name]
		r := n.local()
		if r == nil || !n.alive {
			continue
		}
		leader := w.leader().local()
		for r.Store().Applied() < leader.Store().Applied() {
			<-time.After(10 * time.Millisecond)
		}
		records, err := r.Store().List(context.Background(), persistence.Query{Prefix: userSpace})
		if err != nil {
			w.t.Errorf("at %s: %v", name, err)
		}
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprintf("%q %q %d", r.Key, r.Value, r.Revision))
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			w.t.Errorf("%s holds\n%.1000q, others\n%.1000q", name, got, want)
		}
	}
	return want
}
