package consensus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// collect watches until it sees the key "end", and returns the values of key in order.
func (n *node) collect(ctx context.Context, key string, after persistence.Revision) (values []string) {
	last := after
	for c, err := range n.Watch(ctx, "", after) {
		if err != nil {
			n.world.t.Errorf("the watch at %s ended: %v", n.name, err)
			return values
		}
		if c.Revision <= last {
			n.world.t.Errorf("the watch at %s yields revision %d after %d", n.name, c.Revision, last)
		}
		last = c.Revision
		for _, change := range c.Changes {
			switch change.Key {
			case key:
				values = append(values, string(change.Value))
			case "end":
				return values
			}
		}
	}
	return values
}

// TestWatchersSeeEachChangeOnceAndInOrder changes leaders, and takes replicas away, while
// some watch.
func TestWatchersSeeEachChangeOnceAndInOrder(t *testing.T) {
	for seed := range seeds(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				nodes := w.three("a", "b", "c", "d", "e", "f")
				since, err := persistence.Latest(t.Context(), nodes[0])
				if err != nil {
					t.Fatal(err)
				}
				var watchers sync.WaitGroup
				seen := make([][]string, len(nodes))
				for i, n := range nodes {
					if n == nodes[0] {
						continue // it leaves
					}
					watchers.Go(func() { seen[i] = n.collect(t.Context(), "k", since) })
				}
				stop := make(chan struct{})
				written := []string{}
				var writer sync.WaitGroup
				writer.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						case <-time.After(20 * time.Millisecond):
						}
						value := fmt.Sprint(i)
						if _, err := persistence.Put(context.Background(), nodes[5], "k", []byte(value)); err == nil {
							written = append(written, value)
						}
					}
				})
				w.unsettle(10 * time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				nodes[0].leave(ctx)
				w.unsettle(10 * time.Second)
				close(stop)
				writer.Wait()
				nodes[5].put("end", "")
				watchers.Wait()
				for i, values := range seen {
					if i == 0 {
						continue
					}
					if !slices.Equal(values, seen[1]) {
						t.Errorf("%s has seen %d values, %s %d", nodes[i].name, len(values), nodes[1].name, len(seen[1]))
					}
				}
				for _, value := range written {
					if !slices.Contains(seen[1], value) {
						t.Errorf("value %s was written, and not seen", value)
					}
				}
			})
		})
	}
}

// aside starts a node that has the only replica, and one without: hours pass cheaply.
func (w *world) aside() (a, b *node) {
	only := func(c *Config) { c.Voters = 1 }
	a, b = w.join("a", only), w.join("b", only)
	a.put("ready", "")
	return a, b
}

func TestIdleWatcherWithoutReplicaKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.timing = WAN() // hours of fewer heartbeats
		_, b := w.aside()
		found := make(chan persistence.Changes, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for c, err := range b.Watch(ctx, "wanted", 1) {
				if err != nil {
					t.Error(err)
				}
				found <- c
				return
			}
		}()
		for range 3 * 80 { // the history is kept for an hour
			b.put("other", "")
			<-time.After(20 * time.Second)
		}
		written := time.Now()
		b.put("wanted", "")
		c := <-found
		if took := time.Since(written); len(c.Changes) != 1 || took > 100*time.Millisecond {
			t.Errorf("%+v after %v", c, took)
		}
	})
}

// flood writes many revisions elsewhere in the store.
func (n *node) flood(revisions int) {
	var writing sync.WaitGroup
	const writers = 2000
	for range writers {
		writing.Go(func() {
			for range revisions / writers {
				n.put("other", "")
			}
		})
	}
	writing.Wait()
}

func TestAPollThatFindsNothingTellsHowFarItHasLooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a, b := w.aside()
		q := &pb.Request{Core: a.id.Core, Kind: &pb.Request_Poll{Poll: &pb.Poll{Prefix: []byte("wanted"), After: 1}}}
		a.flood(6000)
		reply, err := b.send(t.Context(), "a", q)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := reply.GetPoll().GetReached(), uint64(a.local().Store().Latest()); got != want {
			t.Errorf("it has looked up to revision %d, the last one is %d", got, want)
		}
	})
}

// TestAnIdleWatcherThatLosesItsReplicaKnowsHowFarItHasLooked ends the replica under it.
func TestAnIdleWatcherThatLosesItsReplicaKnowsHowFarItHasLooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a, _ := w.aside()
		here := &watcher{c: a.Core, prefix: "wanted", after: 1}
		ended := make(chan error)
		r := a.local()
		go func() { ended <- here.local(t.Context(), r) }()
		a.flood(2000)
		synctest.Wait()
		last := r.Store().Latest()
		a.crash()
		if err := <-ended; definite(err) || here.after != last {
			t.Errorf("it ends with %v, and has looked up to revision %d of %d", err, here.after, last)
		}
	})
}

// TestAnIdleWatcherOutlivesTheHistory has the store forget all that there was when
// nothing has happened yet to what is watched.
func TestAnIdleWatcherOutlivesTheHistory(t *testing.T) {
	if raceEnabled {
		t.Skip("more than 100,000 writes take too long with the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_, b := w.aside()
		found := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for _, err := range b.Watch(ctx, "wanted", 1) {
				found <- err
				return
			}
		}()
		b.flood(110_000)
		<-time.After(time.Minute)
		b.put("wanted", "")
		if err := <-found; err != nil {
			t.Error(err)
		}
	})
}

func TestWatchOfAPastThatIsGoneSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.timing = WAN() // hours of fewer heartbeats
		a, b := w.aside()
		<-time.After(80 * time.Minute)
		a.put("k", "")
		<-time.After(time.Minute)
		for _, n := range []*node{a, b} {
			for _, err := range n.Watch(t.Context(), "", 1) {
				if !errors.Is(err, persistence.ErrHistoryGone) {
					t.Errorf("a watch at %s of hours ago: %v", n.name, err)
				}
				break
			}
		}
	})
}

func TestWatchEndsWhenItsNodeDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for _, n := range w.three("a", "b", "c", "d") {
			ended := make(chan error, 1)
			go func() {
				for _, err := range n.Watch(context.Background(), "never", 1) {
					ended <- err
				}
			}()
			synctest.Wait()
			n.crash()
			if err := <-ended; !errors.Is(err, persistence.ErrClosed) {
				t.Errorf("the watch at %s ends with %v", n.name, err)
			}
			for _, do := range []func() error{
				func() error { _, err := n.Get(t.Context(), "k"); return err },
				func() error { _, err := n.List(t.Context(), persistence.Query{}); return err },
				func() error { _, err := persistence.Put(t.Context(), n, "k", nil); return err },
				func() error { _, err := n.OpenSession(t.Context()); return err },
			} {
				if err := do(); !errors.Is(err, persistence.ErrClosed) {
					t.Errorf("of %s, which is closed: %v", n.name, err)
				}
			}
		}
	})
}
