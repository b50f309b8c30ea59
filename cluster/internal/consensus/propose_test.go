package consensus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// three starts nodes of which three vote.
func (w *world) three(names ...string) (nodes []*node) {
	w.t.Helper()
	for _, name := range names {
		nodes = append(nodes, w.join(name, func(c *Config) { c.Expect = 3 }))
	}
	nodes[0].put("ready", "")
	return nodes
}

// leader returns the node that leads, when there is one.
func (w *world) leader() *node {
	w.t.Helper()
	for start := time.Now(); ; {
		if time.Since(start) > 5*time.Minute {
			w.t.Fatal("nobody leads")
		}
		for _, name := range w.names() {
			if r := w.nodes[name].local(); r != nil {
				if _, _, ok := r.Leads(); ok && r.ReadBarrier(context.Background()) == nil {
					return w.nodes[name]
				}
			}
		}
		<-time.After(50 * time.Millisecond)
	}
}

// unsettle cuts leaders off, in different ways, until the time is over.
func (w *world) unsettle(period time.Duration) {
	for end := time.Now().Add(period); time.Now().Before(end); {
		l := w.leader()
		away := 4000
		switch w.intN(6) {
		case 4, 5: // one node gets no answers for a moment
			names := w.names()
			if other := names[w.intN(len(names))]; other != l.name {
				w.cut(l.name, other)
			}
			away = 1000
		case 0:
			_ = l.local().StepDown(context.Background())
		case 1:
			w.split(l.name)
		case 2:
			w.cutFrom(l.name)
		default:
			w.cutTo(l.name)
		}
		<-time.After(time.Duration(w.intN(away)) * time.Millisecond)
		w.heal()
		<-time.After(time.Duration(w.intN(3000)) * time.Millisecond)
	}
}

func TestTransactionIsAppliedOnceThroughLeaderChanges(t *testing.T) {
	for seed := range seeds(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				nodes := w.three("a", "b", "c", "d")
				since, err := persistence.Latest(t.Context(), nodes[0])
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				acknowledged := map[string]bool{}
				increments, unknown := 0, 0
				stop := make(chan struct{})
				var writers sync.WaitGroup
				for _, n := range nodes {
					for i := range 3 {
						writers.Go(func() {
							for j := 0; ; j++ {
								select {
								case <-stop:
									return
								default:
								}
								value := fmt.Sprintf("%s %d %d", n.name, i, j)
								_, err := persistence.Put(context.Background(), n, "appended", []byte(value))
								mu.Lock()
								acknowledged[value] = err == nil
								mu.Unlock()
								n.tolerate(err)
								switch err := n.increment(); {
								case err == nil:
									mu.Lock()
									increments++
									mu.Unlock()
								case errors.Is(err, ErrOutcomeUnknown):
									mu.Lock()
									unknown++
									mu.Unlock()
								default:
									n.tolerate(err)
								}
								<-time.After(100 * time.Millisecond)
							}
						})
					}
				}
				w.unsettle(30 * time.Second)
				close(stop)
				writers.Wait()
				nodes[3].put("end", "")
				applied := map[string]int{}
				for c, err := range nodes[3].Watch(t.Context(), "", since) {
					if err != nil {
						t.Fatal(err)
					}
					if c.Changes[0].Key == "appended" {
						applied[string(c.Changes[0].Value)]++
					}
					if c.Changes[0].Key == "end" {
						break
					}
				}
				for value, done := range acknowledged {
					if applied[value] > 1 || done && applied[value] != 1 {
						t.Errorf("%q was applied %d times; acknowledged: %v", value, applied[value], done)
					}
				}
				r, err := nodes[0].Get(t.Context(), "counter")
				if err != nil {
					t.Fatal(err)
				}
				if count, _ := strconv.Atoi(string(r.Value)); count < increments || count > increments+unknown {
					t.Errorf("the counter is %d after %d increments and %d of unknown outcome", count, increments, unknown)
				}
				t.Logf("%d values, %d increments, %d unknown", len(acknowledged), increments, unknown)
			})
		})
	}
}

// tolerate fails the test for an error that faults do not explain.
func (n *node) tolerate(err error) {
	if err != nil && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, actor.Unavailable) {
		n.world.t.Errorf("at %s: %v", n.name, err)
	}
}

// increment adds one to the counter.
func (n *node) increment() error {
	for {
		r, err := n.Get(context.Background(), "counter")
		if err != nil && !errors.Is(err, persistence.ErrNotFound) {
			return err
		}
		count, _ := strconv.Atoi(string(r.Value))
		_, err = persistence.CompareAndSwap(context.Background(), n, "counter", r.Revision, strconv.AppendInt(nil, int64(count+1), 10))
		if !errors.Is(err, persistence.ErrConflict) {
			return err
		}
	}
}

func TestMinorityAnswersUnavailableWithinASecond(t *testing.T) {
	for _, isolated := range []string{"leader", "follower", "without replica", "all"} {
		t.Run(isolated, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				nodes := w.three("a", "b", "c", "d")
				for _, n := range nodes {
					n.want("ready", "")
				}
				<-time.After(time.Second)
				leader := w.leader()
				n := leader
				switch isolated {
				case "follower":
					n = pick(nodes, true, false)
				case "without replica":
					n = pick(nodes, false, false)
				}
				w.split(n.name)
				if isolated == "all" {
					for _, other := range nodes {
						w.split(other.name)
					}
				}
				<-time.After(time.Second) // what was under way may have an unknown outcome
				try := func(what string, do func() error) {
					start := time.Now()
					err := do()
					took := time.Since(start)
					if !errors.Is(err, actor.Unavailable) || !strings.Contains(err.Error(), "no leader") || took > time.Second {
						t.Errorf("%s in a minority, after %v: %v", what, took, err)
					}
					if e := actor.AsError(err); !e.NotRun {
						t.Errorf("%s in a minority: %v does not say that nothing has happened", what, err)
					}
				}
				try("Put", func() error { _, err := persistence.Put(t.Context(), n, "k", nil); return err })
				try("Get", func() error { _, err := n.Get(t.Context(), "k"); return err })
				try("List", func() error { _, err := n.List(t.Context(), persistence.Query{}); return err })
				try("Latest", func() error { _, err := persistence.Latest(t.Context(), n); return err })
				try("OpenSession", func() error { _, err := n.OpenSession(t.Context()); return err })
				_, err := n.Get(t.Context(), "ready", persistence.Stale)
				if n.local() != nil && err != nil {
					t.Errorf("a stale read in a minority: %v", err)
				}
				if n.local() != nil {
					_, err := n.Get(t.Context(), "k")
					if !strings.Contains(err.Error(), "1 of 3 voters") || !strings.Contains(err.Error(), "a minority") {
						t.Errorf("the reason is %v", err)
					}
				}
				w.heal()
				<-time.After(10 * time.Second)
				for _, n := range nodes {
					if _, err := persistence.Put(t.Context(), n, n.name, []byte("healed")); err != nil {
						t.Errorf("Put at %s after the heal: %v", n.name, err)
					}
					n.want(n.name, "healed")
				}
			})
		})
	}
}

func TestGracefulHandOverIsNotNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		stop := make(chan struct{})
		var writers sync.WaitGroup
		for _, n := range nodes {
			writers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := persistence.Put(context.Background(), n, n.name, nil); err != nil {
						t.Errorf("Put at %s: %v", n.name, err)
					}
					<-time.After(10 * time.Millisecond)
				}
			})
		}
		for range 5 {
			if err := w.leader().local().StepDown(t.Context()); err != nil {
				t.Errorf("StepDown: %v", err)
			}
			<-time.After(2 * time.Second)
		}
		close(stop)
		writers.Wait()
	})
}

func TestCallerWhoGivesUpIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		d := nodes[3]
		w.split("d")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := persistence.Put(ctx, d, "k", nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 100*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		w.heal()
		d.put("k", "v")
		d.want("k", "v")
	})
}

func TestInvalidTransactionDoesNotSpoilTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		nodes := w.three("a", "b", "c", "d")
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				var options []persistence.WriteOption
				if i%7 == 0 {
					options = append(options, persistence.TTL(-1))
				}
				_, err := persistence.Put(context.Background(), nodes[3], fmt.Sprint(i), nil, options...)
				if invalid := errors.Is(err, persistence.ErrInvalid); invalid != (i%7 == 0) || err != nil && !invalid {
					t.Errorf("Put %d: %v", i, err)
				}
			})
		}
		group.Wait()
	})
}
