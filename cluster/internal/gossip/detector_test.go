package gossip

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func lan(c *Config) { c.Preset = LAN }

// notices waits until the members know that one failed, and returns how long it took.
func notices(t *testing.T, rest []*testMember, dead Member) time.Duration {
	t.Helper()
	return within(t, time.Minute, "all know", func() bool {
		return !slices.ContainsFunc(rest, func(m *testMember) bool { return m.sees(dead) })
	})
}

// stop closes all members at once: while they end one by one, the others go on.
func stop(t *testing.T, members []*testMember) {
	for _, m := range members {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// noFailure fails the test if a member was ever told that another one failed.
func noFailure(t *testing.T, members []*testMember) {
	t.Helper()
	for _, m := range members {
		for _, e := range m.events() {
			if e, failed := e.(Failed); failed {
				t.Errorf("%s was told that %s failed", m.Self().Node, e.Member.Node)
			}
		}
	}
}

func TestACrashIsNoticedWithinThreeSeconds(t *testing.T) {
	for what, crash := range map[string]func(*testNetwork, string){
		"process": (*testNetwork).kill,
		"host":    (*testNetwork).unplug,
	} {
		for _, size := range []int{2, 3, 5, 10, 30} {
			t.Run(fmt.Sprint(what, " of ", size), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					n := newTestNetwork()
					members := n.cluster(t, size, lan)
					n.loseSome(0.02)
					crash(n, members[0].host.address)
					took := notices(t, members[1:], members[0].Self())
					t.Log("noticed after", took)
					if took > 3*time.Second {
						t.Errorf("noticed after %v", took)
					}
					stop(t, members)
				})
			})
		}
	}
}

func TestTwoCrashesAtOnceAreNoticed(t *testing.T) {
	for _, size := range []int{3, 5, 10} {
		for second := 1; second < size; second++ { // neighbours on the ring are among them
			synctest.Test(t, func(t *testing.T) {
				n := newTestNetwork()
				members := n.cluster(t, size, lan)
				rest := slices.Delete(slices.Clone(members), second, second+1)[1:]
				n.kill(members[0].host.address)
				n.unplug(members[second].host.address)
				took := max(notices(t, rest, members[0].Self()), notices(t, rest, members[second].Self()))
				if took > 4*time.Second {
					t.Errorf("members 0 and %d of %d: noticed after %v", second, size, took)
				}
				stop(t, members)
			})
		}
	}
}

// What a process that gets no CPU looks like from outside.
func TestAPausedMemberIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 5, lan)
		for range 3 {
			n.pause(members[0].host.address, true)
			pass(3 * time.Second)
			n.pause(members[0].host.address, false)
			pass(10 * time.Second)
		}
		noFailure(t, members)
		n.pause(members[0].host.address, true)
		notices(t, members[1:], members[0].Self()) // memberlist's verdict
	})
}

func TestABrokenLinkCostsNobodyItsMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 5, lan)
		for _, a := range members[:2] {
			n.partition(a.host.address, members[2].host.address, true)
		}
		pass(2 * time.Minute)
		for _, m := range members[3:] {
			noFailure(t, []*testMember{m}) // they reach all
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 5, lan)
		n.partition(members[0].host.address, members[1].host.address, true)
		pass(2 * time.Minute)
		noFailure(t, members)
	})
}

func TestLossAloneGivesNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 5, lan)
		n.loseSome(0.05)
		pass(2 * time.Minute)
		n.loseSome(0)
		noFailure(t, members)
	})
}

func TestAMemberThatWasGivenUpTooSoonIsBackWithItsCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 5, lan)
		cut, rest := members[0], members[1:]
		if err := cut.SetCatalog([]byte("services")); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		for _, m := range rest {
			n.partition(cut.host.address, m.host.address, true)
		}
		notices(t, rest, cut.Self())
		for _, m := range rest {
			n.partition(cut.host.address, m.host.address, false)
		}
		took := within(t, 2*time.Second, "it is back", func() bool {
			return !slices.ContainsFunc(rest, func(m *testMember) bool {
				return m.story(cut.Self()) != "joined catalog failed joined catalog"
			})
		})
		t.Log("back after", took)
		pass(time.Minute)
		for _, m := range rest {
			if got := m.story(cut.Self()); got != "joined catalog failed joined catalog" {
				t.Errorf("later: %s", got)
			}
		}
	})
}

// A process that cannot open connections must not accuse others.
func TestTroubleOfAMembersOwnAccusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3, lan, func(c *Config) {
			c.Reach = func(context.Context, string) error { return syscall.EMFILE }
		})
		n.pause(members[0].host.address, true)
		pass(3 * time.Second)
		n.pause(members[0].host.address, false)
		noFailure(t, members)
	})
}

func TestAProcessAtTheAddressOfAnotherReplacesItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3, lan)
		old := members[0]
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		again := n.open(t, old.Self().Node, old.host.address, lan, func(c *Config) {
			c.Incarnation, c.Started = 0xbeef, c.Started.Add(time.Second)
		})
		join(t, again, members[1])
		within(t, time.Second, "the old one failed", func() bool {
			return members[1].story(old.Self()) == "joined failed" && members[2].story(old.Self()) == "joined failed"
		})
		pass(20 * time.Second)
		for _, m := range members[1:] {
			if m.story(old.Self()) != "joined failed" || m.story(again.Self()) != "joined" {
				t.Errorf("later: %s, %s", m.story(old.Self()), m.story(again.Self()))
			}
		}
	})
}

// Those who know the dead one alone from memberlist's slower news.
func TestAMemberThatJoinsAfterACrashLearnsOfItInTime(t *testing.T) {
	for what, address := range map[string]string{"the address of the dead one": "10.0.0.1:7000", "its own": "10.0.0.99:7000"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newTestNetwork()
				members := n.cluster(t, 4, lan)
				dead, rest := members[0], members[1:]
				if err := dead.Close(); err != nil {
					t.Fatal(err)
				}
				notices(t, rest, dead.Self())
				again := n.open(t, dead.Self().Node, address, lan, func(c *Config) {
					c.Incarnation, c.Started = 0xbeef, c.Started.Add(time.Second)
				})
				join(t, again, rest[0])
				late := n.open(t, "late", "10.0.0.98:7000", lan)
				join(t, late, rest[1])
				within(t, time.Second, "all see the new ones", func() bool {
					return !slices.ContainsFunc(rest, func(m *testMember) bool { return !m.sees(late.Self()) || !m.sees(again.Self()) })
				})
				within(t, 3*time.Second, "the newcomers know", func() bool { return !late.sees(dead.Self()) && !again.sees(dead.Self()) })
			})
		})
	}
}

func TestReportsOfNobodyAndAboutNobodyAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 3, lan)
		m, other := members[0], members[1].Self()
		ghost := Member{Node: "ghost", Incarnation: 7}
		for _, r := range []report{
			{about: ghost, by: other}, {about: other, by: ghost}, {about: other, by: other},
			{about: m.Self(), by: other}, {about: other, by: m.Self()},
		} {
			m.delegate.NotifyMsg(encodeReport(r))
			r.found = true
			m.delegate.NotifyMsg(encodeReport(r))
		}
		pass(time.Minute)
		noFailure(t, members)
		m.detector.mu.Lock()
		defer m.detector.mu.Unlock()
		if len(m.detector.inquiries) > 0 || len(m.detector.busy) > 0 {
			t.Errorf("left: %v, %v", m.detector.inquiries, m.detector.busy)
		}
	})
}

func TestReportsSurviveTheWire(t *testing.T) {
	want := report{about: Member{Node: "ä", Incarnation: 1}, by: Member{Node: "b", Incarnation: 1 << 63}, found: true}
	b := encodeReport(want)
	if got, is, err := decodeReport(b); got != want || !is || err != nil {
		t.Errorf("%+v, %v, %v", got, is, err)
	}
	if _, err := decodeCatalog(b); err == nil {
		t.Error("a member that knows no reports takes it for a catalog")
	}
	if _, is, err := decodeReport(newCatalog("a", 1, 2, []byte("x")).wire); is || err != nil {
		t.Errorf("a catalog: %v, %v", is, err)
	}
	if _, is, err := decodeReport(encodeReport(report{about: want.about})); !is || err == nil {
		t.Errorf("by nobody: %v, %v", is, err)
	}
}
