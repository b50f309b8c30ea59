package gossip

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// viewFixture is a view with a record of its events.
type viewFixture struct {
	*view
	seen []Event
}

// inView runs a test on a view, in a bubble.
func inView(t *testing.T, f func(t *testing.T, v *viewFixture)) {
	synctest.Test(t, func(t *testing.T) {
		v := new(viewFixture)
		events := newEventQueue(func(e Event) { v.seen = append(v.seen, e) })
		defer events.close()
		v.view = newView(testPeer("self", 1), time.Second, events, newDisseminator(4, func(string) {}))
		defer v.close()
		f(t, v)
	})
}

func testPeer(node string, incarnation uint64) Member {
	return Member{Node: node, Incarnation: incarnation, Address: "10.0.0.1:" + fmt.Sprint(len(node)+int(incarnation))}
}

func (v *viewFixture) expect(t *testing.T, want ...Event) {
	t.Helper()
	synctest.Wait()
	if len(v.seen) != len(want) {
		t.Fatalf("got %+v, want %+v", v.seen, want)
	}
	for i, e := range v.seen {
		if fmt.Sprint(e) != fmt.Sprint(want[i]) || fmt.Sprintf("%T", e) != fmt.Sprintf("%T", want[i]) {
			t.Errorf("event %d: got %T%+v, want %T%+v", i, e, e, want[i], want[i])
		}
	}
}

func TestACatalogThatIsEarlyWaitsForItsMember(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		m := testPeer("a", 7)
		v.learn(newCatalog("a", 7, 2, []byte("two")), true)
		v.learn(newCatalog("a", 7, 1, []byte("one")), true)
		v.expect(t)
		v.joined(m)
		v.learn(newCatalog("a", 7, 2, []byte("two")), true)
		v.expect(t, Joined{m}, CatalogChanged{m, []byte("two"), 2})
	})
}

func TestAFarewellIsFinal(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		m := testPeer("a", 7)
		v.joined(m)
		v.learn(newCatalog("a", 7, farewell, nil), true)
		v.gone(m.name())
		v.joined(m)
		v.learn(newCatalog("a", 7, 5, nil), true)
		pass(time.Minute)
		v.expect(t, Joined{m}, Left{m})
		if !v.hasLeft(m.name()) || len(v.lostAddresses()) != 0 {
			t.Error("the farewell was forgotten")
		}
	})
}

func TestAFarewellOvertakenByTheGossipIsNoFailure(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		m := testPeer("a", 7)
		v.joined(m)
		v.gone(m.name())
		pass(v.verdictDelay - time.Millisecond)
		v.learn(newCatalog("a", 7, farewell, nil), true)
		pass(time.Minute)
		v.expect(t, Joined{m}, Left{m})
	})
}

func TestAFarewellBeforeTheMemberIsKnownKeepsItOut(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		v.learn(newCatalog("a", 7, farewell, nil), true)
		v.joined(testPeer("a", 7))
		v.expect(t)
	})
}

func TestAMemberThatIsBackBeforeTheVerdictDidNotFail(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		m := testPeer("a", 7)
		v.joined(m)
		v.gone(m.name())
		v.joined(m)
		pass(time.Minute)
		v.expect(t, Joined{m})
	})
}

func TestTheCatalogOfAMemberThatFailedIsForgotten(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		m := testPeer("a", 7)
		v.joined(m)
		v.learn(newCatalog("a", 7, 3, []byte("x")), false)
		v.gone(m.name())
		pass(2 * v.verdictDelay)
		if got := v.state(); len(got) != 0 {
			t.Errorf("state = %v", got)
		}
		v.joined(m)
		v.learn(newCatalog("a", 7, 3, []byte("x")), false)
		v.expect(t, Joined{m}, CatalogChanged{m, []byte("x"), 3}, Failed{m}, Joined{m}, CatalogChanged{m, []byte("x"), 3})
	})
}

func TestLostNodesAreRememberedForADayWithoutTheReturned(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		for i := range uint64(maxLost + 10) {
			m := testPeer(fmt.Sprintf("node%d", i), i+1)
			m.Address = fmt.Sprintf("10.0.1.1:%d", i+1)
			v.joined(m)
			v.gone(m.name())
			pass(2 * v.verdictDelay)
		}
		got := v.lostAddresses()
		if len(got) != maxLost || got[0] != fmt.Sprintf("10.0.1.1:%d", maxLost+10) {
			t.Errorf("%d addresses, the first %q", len(got), got[0])
		}
		back := testPeer("node100", 999)
		v.joined(back)
		other := testPeer("other", 1)
		other.Address = "10.0.1.1:121" // of node120
		v.joined(other)
		got = v.lostAddresses()
		if slices.Contains(got, "10.0.1.1:101") || slices.Contains(got, "10.0.1.1:121") {
			t.Error("an address is lost that is in use")
		}
		pass(lostMemory)
		if got := v.lostAddresses(); len(got) != 0 {
			t.Errorf("after a day: %v", got)
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		for i := range uint64(1000) {
			v.learn(newCatalog("early", i+1, 1, nil), false)
			v.learn(newCatalog("gone", i+1, farewell, nil), false)
		}
		if early, gone := len(v.early.values), len(v.departed.values); early != maxEarly || gone != maxDeparted {
			t.Errorf("%d early, %d departed", early, gone)
		}
		if !v.hasLeft(memberName("gone", 1000)) {
			t.Error("the latest was dropped")
		}
	})
}

func TestALearnedCatalogSharesNoMemory(t *testing.T) {
	inView(t, func(t *testing.T, v *viewFixture) {
		m := testPeer("a", 7)
		v.joined(m)
		wire := newCatalog("a", 7, 1, []byte("data")).wire
		c, err := decodeCatalog(wire)
		if err != nil {
			t.Fatal(err)
		}
		v.learn(c, true)
		clear(wire)
		v.expect(t, Joined{m}, CatalogChanged{m, []byte("data"), 1})
	})
}
