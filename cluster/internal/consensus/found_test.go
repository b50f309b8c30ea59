package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// put writes a record, again and again while that is Unavailable.
func (n *node) put(key, value string) {
	n.world.t.Helper()
	for start := time.Now(); ; {
		_, err := persistence.Put(context.Background(), n, key, []byte(value))
		if err == nil {
			return
		}
		if code := actor.CodeOf(err); code != actor.Unavailable && code != actor.Unknown || time.Since(start) > 5*time.Minute {
			n.world.t.Fatalf("Put at %s: %v", n.name, err)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// want checks that a node reads a value.
func (n *node) want(key, value string) {
	n.world.t.Helper()
	r, err := n.Get(context.Background(), key)
	if err != nil || string(r.Value) != value {
		n.world.t.Errorf("%s at %s is %q, %v; want %q", key, n.name, r.Value, err, value)
	}
}

// oneCore checks that all nodes take part in the same core, and returns its ID.
func (w *world) oneCore() (core string) {
	w.t.Helper()
	for _, name := range w.names() {
		n := w.nodes[name]
		switch id := n.identity(); {
		case core == "":
			core = id.Core
		case id.Core != core && id.Core != "":
			w.t.Errorf("%s takes part in core %s, another in %s", name, id.Core, core)
		}
	}
	return core
}

func TestNodesThatStartTogetherFormOneCore(t *testing.T) {
	for seed := range seeds(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				w.slowest = time.Duration(w.intN(300)) * time.Millisecond
				count := 2 + w.intN(4)
				var writers sync.WaitGroup
				for i := range count {
					late, use := time.Duration(w.intN(500))*time.Millisecond, time.Duration(w.intN(3000))*time.Millisecond
					writers.Go(func() {
						<-time.After(late)
						n := w.join(fmt.Sprintf("n%d", i), func(c *Config) { c.Timing = WAN() })
						<-time.After(use)
						n.put(n.name, "here")
					})
				}
				writers.Wait()
				w.oneCore()
				for _, reader := range w.names() {
					for _, writer := range w.names() {
						w.nodes[reader].want(writer, "here")
					}
				}
			})
		})
	}
}

func TestNothingHappensBeforeTheFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for _, name := range []string{"a", "b", "c"} {
			w.join(name)
		}
		<-time.After(time.Hour)
		for name, n := range w.nodes {
			if n.identity() != (identity{}) || n.local() != nil || n.says != (Announcement{}) {
				t.Errorf("%s has begun a core", name)
			}
		}
	})
}

func TestExpectedNodesAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		expect := func(c *Config) { c.Expect = 3 }
		a := w.join("a", expect)
		b := w.join("b", expect)
		<-time.After(5 * time.Second)
		start := time.Now()
		_, err := persistence.Put(t.Context(), b, "k", nil)
		if !errors.Is(err, actor.Unavailable) || !strings.Contains(err.Error(), "2 of the 3 nodes are there") {
			t.Errorf("with 2 of 3 nodes: %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("that took %v", took)
		}
		w.join("c", expect)
		b.put("k", "v")
		a.want("k", "v")
		if voters := a.local().Status().Voters; len(voters) != 3 {
			t.Errorf("voters are %v", voters)
		}
	})
}

// TestSplitOfTheExpectedNeverFoundsTwo has the sides of a split cluster use the store
// before there is a core.
func TestSplitOfTheExpectedNeverFoundsTwo(t *testing.T) {
	for seed := range seeds(15) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				var nodes []*node
				for i := range 5 {
					nodes = append(nodes, w.join(fmt.Sprintf("n%d", i), func(c *Config) { c.Expect = 3 }))
				}
				side := []string{}
				for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(5)[:1+w.intN(4)] {
					side = append(side, nodes[i].name)
				}
				<-time.After(time.Duration(w.intN(2000)) * time.Millisecond)
				cut := time.AfterFunc(time.Duration(w.intN(200))*time.Millisecond, func() { w.split(side...) })
				defer cut.Stop()
				var writers sync.WaitGroup
				for _, n := range nodes {
					writers.Go(func() { n.put(n.name, "here") })
				}
				<-time.After(time.Minute)
				w.oneCore()
				w.heal()
				writers.Wait()
				w.oneCore()
				for _, n := range nodes {
					for _, other := range nodes {
						n.want(other.name, "here")
					}
				}
			})
		})
	}
}

func TestCoresThatMeetStayApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		alone := func(c *Config) { c.Voters = 1 }
		a, b := w.join("a", alone), w.join("b", alone)
		w.split("a")
		<-time.After(2 * w.detect)
		a.put("k", "of a")
		b.put("k", "of b")
		c := w.join("c")
		w.heal()
		<-time.After(time.Second)
		_, err := c.Get(t.Context(), "k")
		if !errors.Is(err, ErrTwoCores) || !strings.Contains(err.Error(), " on a") || !strings.Contains(err.Error(), " on b") {
			t.Errorf("a node without a replica: %v", err)
		}
		for _, err := range c.Watch(t.Context(), "", 1) {
			if !errors.Is(err, ErrTwoCores) {
				t.Errorf("a watch of a node without a replica: %v", err)
			}
		}
		a.want("k", "of a")
		b.want("k", "of b")
		b.crash()
		<-time.After(time.Second)
		c.want("k", "of a")
		for _, n := range []*node{a, c} {
			if core := n.identity().Core; core != a.identity().Core {
				t.Errorf("%s takes part in core %s", n.name, core)
			}
		}
	})
}

// TestAbandonedInvitationIsForgotten crashes the founder before there is a core.
func TestAbandonedInvitationIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a := w.join("a")
		if _, err := a.serveInvite(t.Context(), "never founded", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := a.serveInvite(t.Context(), "another", ""); !errors.Is(err, ErrTwoCores) || !strings.Contains(err.Error(), "never founded") || !strings.Contains(err.Error(), "another") {
			t.Errorf("an invitation to another core: %v", err)
		}
		b := w.join("b")
		<-time.After(time.Minute)
		b.put("k", "v")
		a.want("k", "v")
	})
}
