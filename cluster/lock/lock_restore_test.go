package lock_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/lock"
)

func TestALockIsLostBeforeAnybodyElseHoldsItWhenABackupIsRestored(t *testing.T) {
	for _, cut := range []bool{false, true} {
		name := "holder connected"
		if cut {
			name = "holder cut off"
		}
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
				held := acquire(t, c.Node(3), "x")
				waits := wait(t, c.Node(2), "x") // both are in the backup
				<-time.After(settled)
				var backup bytes.Buffer
				must(t, c.Node(0).Store().Backup(t.Context(), &backup))
				if cut {
					c.Network.Partition([]string{"node-3"}, []string{"node-0", "node-1", "node-2"})
				}
				must(t, c.Node(0).Store().Restore(t.Context(), &backup))
				if cut && held.Err() != nil {
					t.Fatal("the holder knows too soon: this tests nothing")
				}
				passed := make(chan struct{})
				go func() { // who waited may wait again, and have it before others
					defer close(passed)
					<-waits.done
					if waits.err != nil {
						return
					}
					if held.Err() == nil {
						t.Error("who waited has it, and the holder does not know")
					}
					if err := waits.lock.Release(t.Context()); err != nil {
						t.Error(err)
					}
				}()
				next := acquire(t, c.Node(1), "x")
				if !over(held.Lost()) || !errors.Is(held.Err(), lock.ErrLost) {
					t.Errorf("another holds it, and to the holder it is %v", held.Err())
				}
				if next.Token() <= held.Token() {
					t.Errorf("token %d after %d", next.Token(), held.Token())
				}
				must(t, next.Release(t.Context()))
				<-passed
				if waits.err != nil && !errors.Is(waits.err, lock.ErrLost) {
					t.Errorf("who waited: %v", waits.err)
				}
				c.Network.Heal()
				again := acquire(t, c.Node(3), "x")
				must(t, again.Release(t.Context()))
				state, err := lock.Inspect(t.Context(), c.Node(0), "x")
				must(t, err)
				if len(state.Holders)+len(state.Waiters) > 0 {
					t.Errorf("somebody of before is still there: %+v", state)
				}
				<-time.After(settled)
			})
		})
	}
}

// TestTokensGrowOverABackupThatIsRestored also where the cluster has gone on after the
// backup, and is lost with what it knew.
func TestTokensGrowOverABackupThatIsRestored(t *testing.T) {
	for _, lost := range []bool{false, true} {
		name := "into the same cluster"
		if lost {
			name = "into a new cluster"
		}
		t.Run(name, func(t *testing.T) {
			clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
				var last, term uint64
				use := func(node int) {
					t.Helper()
					l := acquire(t, c.Node(node), "x")
					if l.Token() <= last {
						t.Errorf("token %d after %d", l.Token(), last)
					}
					last = l.Token()
					e, err := lock.Campaign(t.Context(), c.Node(node), "e", "")
					must(t, err)
					if e.Term() <= term {
						t.Errorf("term %d after %d", e.Term(), term)
					}
					term = e.Term()
					must(t, errors.Join(l.Release(t.Context()), e.Resign(t.Context())))
				}
				use(0)
				held := acquire(t, c.Node(1), "held") // is released, and not in what is restored
				var backup bytes.Buffer
				must(t, c.Node(0).Store().Backup(t.Context(), &backup))
				must(t, held.Release(t.Context()))
				for i := range 9 {
					use(i % 3)
				}
				if lost { // they keep everything in memory
					for i := range 3 {
						c.Crash(i)
					}
					for i := range 3 {
						c.Restart(i)
					}
					c.AwaitMembers(3)
				}
				for i := range 3 {
					must(t, c.Node(i).Store().Restore(t.Context(), bytes.NewReader(backup.Bytes())))
					use(i)
				}
				synctest.Wait()
				must(t, acquire(t, c.Node(2), "held").Release(t.Context()))
				<-time.After(settled)
			})
		})
	}
}
