package gossip

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMembersSeeEachOther(t *testing.T) {
	for _, size := range []int{2, 5} {
		synctest.Test(t, func(t *testing.T) {
			members := newTestNetwork().cluster(t, size)
			for _, m := range members {
				for _, other := range members {
					if !m.sees(other.Self()) {
						t.Errorf("%s does not see %+v", m.Self().Node, other.Self())
					}
				}
				if got := len(m.events()); got != size-1 {
					t.Errorf("%d events, want one for each of the others", got)
				}
			}
		})
	}
}

func TestALeaveIsKnownToAllWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 5)
		leaver, rest := members[0], members[1:]
		start := time.Now()
		if err := leaver.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := leaver.Close(); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second-time.Since(start), "all know", func() bool {
			return !slices.ContainsFunc(rest, func(m *testMember) bool {
				return m.story(leaver.Self()) != "joined left"
			})
		})
		pass(time.Minute)
		for _, m := range rest {
			if got := m.story(leaver.Self()); got != "joined left" {
				t.Errorf("later: %q", got)
			}
			if len(m.Lost()) != 0 {
				t.Errorf("a member that left is lost: %v", m.Lost())
			}
		}
	})
}

func TestALeaveIsNoFailureEvenWhenPacketsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 5)
		n.loseSome(0.3)
		if err := members[0].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "all know", func() bool {
			return !slices.ContainsFunc(members[1:], func(m *testMember) bool {
				return m.story(members[0].Self()) != "joined left"
			})
		})
	})
}

func TestACrashIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name   string
		preset Preset
		size   int
		limit  time.Duration
	}{
		{"local, two", Local, 2, 5 * time.Second},
		{"local, five", Local, 5, 10 * time.Second},
		{"lan, two", LAN, 2, 10 * time.Second},
		{"lan, five", LAN, 5, 25 * time.Second},
		{"wan, five", WAN, 5, 3 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newTestNetwork()
				members := n.cluster(t, test.size, func(c *Config) { c.Preset = test.preset })
				dead, rest := members[0], members[1:]
				n.unplug(dead.host.address)
				took := within(t, test.limit, "all know", func() bool {
					return !slices.ContainsFunc(rest, func(m *testMember) bool {
						return m.story(dead.Self()) != "joined failed"
					})
				})
				t.Log("noticed after", took)
				for _, m := range rest {
					if m.sees(dead.Self()) {
						t.Errorf("%s still lists it", m.Self().Node)
					}
					if got := m.Lost(); !slices.Equal(got, []string{dead.host.address}) {
						t.Errorf("Lost = %v", got)
					}
				}
			})
		})
	}
}

func TestARestartedNodeIsANewMemberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3)
		old, rest := members[0], members[1:]
		n.unplug(old.host.address)

		again := n.open(t, old.Self().Node, "10.0.0.99:7000", func(c *Config) {
			c.Incarnation = 0xbeef
		})
		join(t, again, rest[0])
		within(t, time.Second, "the new member is seen", func() bool {
			return rest[0].sees(again.Self()) && rest[1].sees(again.Self())
		})
		within(t, 10*time.Second, "the old one fails", func() bool {
			return rest[0].story(old.Self()) == "joined failed" && rest[1].story(old.Self()) == "joined failed"
		})
		if got := rest[0].Lost(); len(got) != 0 {
			t.Errorf("Lost = %v although the node is back", got)
		}
		if got := rest[0].story(again.Self()); got != "joined" {
			t.Errorf("the new member: %q", got)
		}
	})
}

func TestARestartAtTheSameAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3)
		old, rest := members[0], members[1:]
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		again := n.open(t, old.Self().Node, old.host.address, func(c *Config) { c.Incarnation = 0xbeef })
		join(t, again, rest[0])
		within(t, 10*time.Second, "the old one fails, the new one is there", func() bool {
			return rest[1].story(old.Self()) == "joined failed" && rest[1].story(again.Self()) == "joined"
		})
	})
}

func TestCatalogsOfAPartitionArriveAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 2)
		a, b := members[0], members[1]
		n.partition(a.host.address, b.host.address, true)
		within(t, 10*time.Second, "both fail", func() bool {
			return a.story(b.Self()) == "joined failed" && b.story(a.Self()) == "joined failed"
		})
		if err := b.SetCatalog([]byte("while apart")); err != nil {
			t.Fatal(err)
		}
		n.partition(a.host.address, b.host.address, false)
		if _, err := a.Join(t.Context(), a.Lost()); err != nil {
			t.Fatal(err)
		}
		within(t, 2*time.Second, "both are back", func() bool {
			return a.story(b.Self()) == "joined failed joined catalog" && b.story(a.Self()) == "joined failed joined"
		})
		if len(a.Lost())+len(b.Lost()) != 0 {
			t.Errorf("Lost = %v, %v", a.Lost(), b.Lost())
		}
	})
}

func TestALongPartitionHealsByJoiningTheLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 4)
		left, right := members[:2], members[2:]
		setPartition := func(cut bool) {
			for _, a := range left {
				for _, b := range right {
					n.partition(a.host.address, b.host.address, cut)
				}
			}
		}
		setPartition(true)
		pass(10 * time.Minute)
		if got := len(left[0].Members()); got != 2 {
			t.Fatalf("%d members in a half", got)
		}
		for i, m := range members {
			if err := m.SetCatalog([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		setPartition(false)
		if n, err := left[0].Join(t.Context(), left[0].Lost()); n == 0 {
			t.Fatal(err)
		}
		within(t, 3*time.Second, "all see all, with catalogs", func() bool {
			for _, m := range members {
				for i, other := range members {
					if m == other {
						continue
					}
					if !m.sees(other.Self()) || !slices.Equal(m.catalog(other.Self()), []byte{byte(i)}) {
						return false
					}
				}
			}
			return true
		})
	})
}

func TestTwoMembersInOneProcessShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		n.cluster(t, 2)
		alone := n.open(t, "alone", "10.0.1.1:7000")
		pass(time.Minute)
		if got := alone.Members(); !slices.Equal(got, []Member{alone.Self()}) {
			t.Errorf("Members = %v", got)
		}
	})
}

func TestSettleReturnsWhenWhatIsKnownHasBeenHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 2)
		if err := members[1].SetCatalog([]byte("services")); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if err := members[0].Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := members[0].story(members[1].Self()); !strings.HasPrefix(got, "joined") {
			t.Errorf("after Settle: %q", got)
		}
		if err := members[0].Close(); err != nil {
			t.Fatal(err)
		}
		if err := members[0].Settle(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}
