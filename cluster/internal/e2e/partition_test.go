package e2e

import (
	"testing"
	"time"
)

// island is a host, and the node that runs on it.
type island struct {
	*host
	*process
}

// settle starts a node on the host that serves and finds the others by mDNS.
func (h *host) settle(name string, env ...string) *island {
	h.t.Helper()
	p := h.start(name, append(env, secret, "TROUPE_E2E_TIMING=local", "TROUPE_STATE_DIR="+h.t.TempDir())...)
	p.do("join")
	p.do("serve")
	return &island{h, p}
}

func processes(islands ...*island) (all []*process) {
	for _, i := range islands {
		all = append(all, i.process)
	}
	return all
}

func together(islands ...*island) {
	command := []string{"meet"}
	for _, i := range islands {
		command = append(command, i.name)
	}
	all(processes(islands...), command...)
}

func TestAPartitionIsNoticedAndHeals(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	a, b := n.host().settle("a"), n.host().settle("b")
	together(a, b)
	waiting := []*answer{a.begin("hold", "b"), b.begin("hold", "a")}
	a.do("work", "b")
	b.do("work", "a")
	cut := time.Now()
	a.drop(b.host)
	b.drop(a.host)
	expectUnavailable(t, waiting...)
	together(a)
	together(b)
	t.Logf("noticed on both sides after %v", time.Since(cut).Round(time.Millisecond))
	expectUnavailable(t, a.begin("hold", "b"), b.begin("hold", "a"))

	healed := time.Now()
	a.heal(b.host)
	b.heal(a.host)
	together(a, b)
	t.Logf("one cluster again %v after the network", time.Since(healed).Round(time.Millisecond))
	a.do("work", "b")
	b.do("work", "a")
}

func expectUnavailable(t *testing.T, holds ...*answer) {
	t.Helper()
	for _, h := range holds {
		if o := decode[outcome](t, h.end()); o.Code != "unavailable" {
			t.Errorf("%s: a call to a lost node ended with %s after %v: %s", h.p.name, o.Code, o.Took, o.Error)
		}
	}
}

func TestANodeThatIsNotHeardIsGivenUpAndComesBack(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	a, b := n.host().settle("a"), n.host().settle("b")
	together(a, b)
	waiting := a.begin("hold", "b")
	a.do("work", "b")
	cut := time.Now()
	a.drop(b.host)
	expectUnavailable(t, waiting)
	together(a)
	t.Logf("noticed by the deaf side after %v", time.Since(cut).Round(time.Millisecond))
	together(b)
	t.Logf("noticed by the other side after %v", time.Since(cut).Round(time.Millisecond))

	healed := time.Now()
	a.heal(b.host)
	together(a, b)
	t.Logf("one cluster again %v after the network", time.Since(healed).Round(time.Millisecond))
	a.do("work", "b")
	b.do("work", "a")
}

// The third node hears both: it vouches for them, though they have no way to
// each other.
func TestCallsAcrossABrokenWayEndThoughAThirdNodeHearsBoth(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	a, b, c := n.host().settle("a"), n.host().settle("b"), n.host().settle("c")
	together(a, b, c)
	waiting := a.begin("hold", "b")
	a.do("work", "b")
	cut := time.Now()
	a.drop(b.host)
	b.drop(a.host)
	expectUnavailable(t, waiting)
	t.Logf("the call ended after %v", time.Since(cut).Round(time.Millisecond))
	c.do("work", "a")
	c.do("work", "b")
	a.heal(b.host)
	b.heal(a.host)
	together(a, b, c)
	a.do("work", "b")
}

func TestANodeThatMovedIsFoundAtItsNewAddress(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	a, b := n.host().settle("a"), n.host().settle("b")
	together(a, b)
	a.do("work", "b")
	b.kill()
	moved := time.Now()
	elsewhere := n.host().settle("b")
	a.do("addressed", "b", elsewhere.ip)
	t.Logf("found at its new address after %v", time.Since(moved).Round(time.Millisecond))
	together(a, elsewhere)
	a.do("work", "b")
	elsewhere.do("work", "a")
}
