package gossip

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// knowCatalog reports whether all others were told this catalog of m.
func knowCatalog(members []*testMember, m *testMember, data []byte) bool {
	return !slices.ContainsFunc(members, func(other *testMember) bool {
		return other != m && !bytes.Equal(other.catalog(m.Self()), data)
	})
}

func TestCatalogsSpreadAtOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		size int
	}{
		{"small", 300},
		{"100 KiB", 100 << 10},
		{"largest", MaxCatalogLen},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				members := newTestNetwork().cluster(t, 5)
				data := bytes.Repeat([]byte("x"), test.size)
				if err := members[2].SetCatalog(data); err != nil {
					t.Fatal(err)
				}
				within(t, time.Second, "all know it", func() bool {
					return knowCatalog(members, members[2], data)
				})
			})
		})
	}
}

func TestAJoinerLearnsAllCatalogsAndAllLearnItsOwn(t *testing.T) {
	for _, size := range []int{10, 50 << 10} {
		synctest.Test(t, func(t *testing.T) {
			n := newTestNetwork()
			members := n.cluster(t, 4)
			data := bytes.Repeat([]byte("x"), size)
			for _, m := range members {
				if err := m.SetCatalog(data); err != nil {
					t.Fatal(err)
				}
			}
			joiner := n.open(t, "joiner", "10.0.9.9:7000")
			if err := joiner.SetCatalog(data); err != nil { // before it knows anybody
				t.Fatal(err)
			}
			join(t, joiner, members[0])
			members = append(members, joiner)
			within(t, time.Second, "all know all catalogs", func() bool {
				return !slices.ContainsFunc(members, func(m *testMember) bool { return !knowCatalog(members, m, data) })
			})
		})
	}
}

func TestTheNewestCatalogWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3)
		n.loseSome(0.2)
		for i := range 100 {
			if err := members[0].SetCatalog(bytes.Repeat([]byte{byte(i)}, 1+i*30)); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				pass(50 * time.Millisecond)
			}
		}
		within(t, time.Minute, "all know the last one", func() bool {
			return knowCatalog(members, members[0], bytes.Repeat([]byte{99}, 1+99*30))
		})
		for _, m := range members[1:] {
			var last uint64
			for _, e := range m.events() {
				if c, ok := e.(CatalogChanged); ok && c.Member == members[0].Self() {
					if c.Version <= last {
						t.Errorf("version %d after %d", c.Version, last)
					}
					last = c.Version
				}
			}
		}
	})
}

func TestEventsOfAMemberComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		members := n.cluster(t, 3)
		guest := n.open(t, "guest", "10.0.9.9:7000")
		if err := guest.SetCatalog([]byte("a")); err != nil {
			t.Fatal(err)
		}
		join(t, guest, members[0])
		within(t, time.Second, "all know it", func() bool { return knowCatalog(members, guest, []byte("a")) })
		if err := guest.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		for _, m := range members {
			if got := m.story(guest.Self()); got != "joined catalog left" {
				t.Errorf("%s: %q", m.Self().Node, got)
			}
		}
	})
}

func TestASlowReceiverOfEventsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNetwork()
		release := make(chan struct{})
		slow := n.open(t, "slow", "10.0.0.1:7000")
		var seen []Event
		blocked := n.open(t, "blocked", "10.0.0.2:7000", func(c *Config) {
			c.Events = func(e Event) { <-release; seen = append(seen, e) }
		})
		join(t, blocked, slow)
		for i := range 50 {
			if err := slow.SetCatalog([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		if !blocked.sees(slow.Self()) || !slow.sees(blocked.Self()) {
			t.Error("a blocked receiver broke the membership")
		}
		close(release)
		pass(0)
		if len(seen) != 2 {
			t.Fatalf("%d events: catalogs that waited should have given way to the newest", len(seen))
		}
		if c, ok := seen[1].(CatalogChanged); !ok || c.Version != 50 || c.Catalog[0] != 49 {
			t.Errorf("got %+v", seen[1])
		}
	})
}

func TestACatalogThatIsTooLargeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestNetwork().open(t, "a", "10.0.0.1:7000")
		err := m.SetCatalog(make([]byte, MaxCatalogLen+1))
		if !errors.Is(err, ErrCatalogTooLarge) || !strings.Contains(err.Error(), "1048577") {
			t.Errorf("got %v", err)
		}
	})
}

func TestSetCatalogCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := newTestNetwork().cluster(t, 2)
		data := []byte("before")
		if err := members[0].SetCatalog(data); err != nil {
			t.Fatal(err)
		}
		copy(data, "after!")
		within(t, time.Second, "the other knows", func() bool {
			return knowCatalog(members, members[0], []byte("before"))
		})
	})
}
