package config_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/cluster/config"
)

const (
	settled  = 30 * time.Second // when every node that shall have a vote has one
	patience = time.Minute
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a document on every node. It is left to the nodes to close them.
func open(t testing.TB, c *clustertest.Cluster, options ...config.Option) (all []*config.Document) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range c.Nodes() {
		d, err := config.Open(ctx, c.Node(i), "shop", options...)
		must(t, err)
		all = append(all, d)
	}
	return all
}

// set sets a value, as often as it takes: another leader may have to be elected.
func set(t testing.TB, d *config.Document, path string, value any) config.Version {
	t.Helper()
	for start := time.Now(); ; {
		v, err := d.Set(t.Context(), path, value)
		switch {
		case err == nil:
			return v
		case actor.CodeOf(err) != actor.Unavailable || time.Since(start) > patience:
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// await waits until d has seen want, and returns how long that took.
func await(t testing.TB, d *config.Document, want config.Version) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		last, took := d.Last(), time.Since(start)
		switch {
		case reflect.DeepEqual(last, want):
			return took
		case took > patience:
			t.Fatalf("after %v %+v is seen, want %+v", took, last, want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestEveryNodeSeesAWriteInUnderASecond(t *testing.T) {
	clustertest.Run(t, 5, func(t *testing.T, c *clustertest.Cluster) {
		all := open(t, c)
		<-time.After(settled)
		write := func(when string, writers ...*config.Document) {
			t.Helper()
			for i, writer := range writers {
				v := set(t, writer, "by", fmt.Sprint(when, i))
				for j, d := range writers {
					if took := await(t, d, v); took >= time.Second {
						t.Errorf("%s: node %d saw it after %v", when, j, took)
					}
				}
			}
		}
		write("in calm", all...)
		c.Network.SetDelay(time.Millisecond, 20*time.Millisecond)
		write("on a slow network", all...)
		leader := c.Node(0).Store().Leader()
		var others []*config.Document
		for i, d := range all {
			if c.Node(i).Name() == leader {
				c.Crash(i)
			} else {
				others = append(others, d)
			}
		}
		write("without the leader", others...)
	})
}

func TestANodeThatIsCutOffKeepsItsLastSettingsAndCatchesUp(t *testing.T) {
	for _, votes := range []bool{true, false} {
		t.Run(fmt.Sprintf("voter %v", votes), func(t *testing.T) {
			clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
				all := open(t, c)
				<-time.After(settled)
				cut := 3 // the first three vote
				if votes {
					cut = 1
				}
				before := set(t, all[0], "a", 1)
				await(t, all[cut], before)
				var rest []string
				for i := range all {
					if i != cut {
						rest = append(rest, c.Node(i).Name())
					}
				}
				c.Network.Partition([]string{c.Node(cut).Name()}, rest)
				set(t, all[0], "b", 2)
				after := set(t, all[2], "a", 3)
				<-time.After(settled)
				if v, err := all[cut].Read(); err != nil || !reflect.DeepEqual(v, before.Values) {
					t.Errorf("cut off it reads %v, %v, want %v", v, err, before.Values)
				}
				for what, f := range map[string]func() (config.Version, error){
					"Get": func() (config.Version, error) { return all[cut].Get(t.Context()) },
					"Set": func() (config.Version, error) { return all[cut].Set(t.Context(), "a", 4) },
				} {
					start := time.Now()
					if v, err := f(); actor.CodeOf(err) != actor.Unavailable {
						t.Errorf("cut off %s is %+v, %v", what, v, err)
					}
					if took := time.Since(start); took > 1500*time.Millisecond {
						t.Errorf("cut off %s took %v", what, took)
					}
				}
				c.Network.Heal()
				if took := await(t, all[cut], after); took > 15*time.Second {
					t.Errorf("it has caught up after %v", took)
				}
				await(t, all[0], set(t, all[cut], "c", 5))
			})
		})
	}
}

func TestOfSetsOnManyNodesNoneIsLost(t *testing.T) {
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		const sets = 10
		all := open(t, c)
		var running sync.WaitGroup
		for i, d := range all {
			running.Go(func() {
				for j := range sets {
					if _, err := d.Set(t.Context(), fmt.Sprintf("node-%d.key-%d", i, j), j); err != nil {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		v, err := all[0].Get(t.Context())
		must(t, err)
		if v.Number != uint64(len(all)*sets) {
			t.Errorf("%d versions", v.Number)
		}
		for i := range all {
			if m, _ := v.Values[fmt.Sprintf("node-%d", i)].(map[string]any); len(m) != sets {
				t.Errorf("of node %d there is %v", i, m)
			}
		}
		for _, d := range all {
			await(t, d, v)
		}
	})
}

func TestEveryNodeFollowsToABackupThatIsRestored(t *testing.T) {
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		all := open(t, c)
		<-time.After(settled)
		set(t, all[0], "a", 1)
		kept := set(t, all[0], "a", 2)
		var backup bytes.Buffer
		must(t, c.Node(0).Store().Backup(t.Context(), &backup))
		lost := set(t, all[3], "a", 3)
		for _, d := range all {
			await(t, d, lost)
		}
		must(t, c.Node(1).Store().Restore(t.Context(), &backup))
		for _, d := range all {
			await(t, d, kept)
		}
		if v, err := all[3].Set(t.Context(), "a", 4, config.At(lost.Revision)); err == nil {
			t.Errorf("written after a version that is no more: %+v", v)
		}
		next := set(t, all[3], "a", 4)
		if next.Number != lost.Number || next.Revision <= lost.Revision {
			t.Errorf("%+v after %+v", next, lost)
		}
		for _, d := range all {
			await(t, d, next)
		}
	})
}

func TestANodeStartsWithoutAMajorityFromItsCopy(t *testing.T) {
	dir := t.TempDir()
	clustertest.Run(t, 4, func(t *testing.T, c *clustertest.Cluster) {
		all := open(t, c)
		d, err := config.Open(t.Context(), c.Node(3), "shop", config.KeepCopy(dir))
		must(t, err)
		<-time.After(settled)
		before := set(t, all[0], "a", 1.0)
		await(t, d, before)
		<-time.After(time.Second)
		c.Crash(3)
		c.Network.Partition([]string{"node-3"}, []string{"node-0", "node-1", "node-2"})
		after := set(t, all[0], "a", 2.0)
		n := c.Restart(3)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		start := time.Now()
		d, err = config.Open(ctx, n, "shop", config.KeepCopy(dir))
		must(t, err)
		if took := time.Since(start); took > 5*time.Second || !reflect.DeepEqual(d.Last(), before) {
			t.Errorf("after %v it starts with %+v, want %+v", took, d.Last(), before)
		}
		if _, err := config.Open(ctx, n, "shop"); actor.CodeOf(err) != actor.DeadlineExceeded {
			t.Errorf("without a copy: %v", err)
		}
		c.Network.Heal()
		await(t, d, after)
	}, cluster.WithExpect(3))
}

func TestSettingsOutliveEveryNodeThatWroteThem(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		all := open(t, c)
		<-time.After(settled)
		set(t, all[2], "a", 1)
		v := set(t, all[2], "a", 2)
		c.Crash(2)
		n := c.Restart(2)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		d, err := config.Open(ctx, n, "shop")
		must(t, err)
		if !reflect.DeepEqual(d.Last(), v) {
			t.Errorf("%+v, want %+v", d.Last(), v)
		}
		must(t, n.Leave(ctx))
		await(t, all[0], set(t, all[1], "a", 3))
		if _, err := config.Open(ctx, n, "shop"); actor.CodeOf(err) != actor.Unavailable {
			t.Errorf("on a node that has left: %v", err)
		}
	})
}

// Open of a document says what it waits for when its context ends.
func TestOpenSaysWhatItWaitsFor(t *testing.T) {
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		for patience, want := range map[time.Duration]string{500 * time.Millisecond: "the replicated store has not answered yet", 10 * time.Second: "1 of the 3 nodes are there"} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := config.Open(ctx, c.Node(0), "app")
			cancel()
			if actor.CodeOf(err) != actor.DeadlineExceeded || !strings.Contains(err.Error(), want) {
				t.Errorf("after %v: %v, want it to say %q", patience, err, want)
			}
		}
	}, cluster.WithExpect(3))
}
