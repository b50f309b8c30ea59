package e2e

import (
	"testing"
	"time"
)

// trio starts nodes a, b and c on loopback, of which b and c serve.
func trio(t testing.TB) (a, b, c *process, dir string) {
	t.Helper()
	dir = t.TempDir()
	a, b, c = node(t, "a", dir), node(t, "b", dir), node(t, "c", dir)
	for _, p := range []*process{b, c} {
		p.do("serve")
	}
	all([]*process{a, b, c}, "meet", "a", "b", "c")
	all([]*process{a, b, c}, "see", "2")
	return a, b, c, dir
}

func TestCallsSurviveAKilledInstanceAndUseItAgain(t *testing.T) {
	a, b, c, dir := trio(t)
	a.do("load", "64")
	a.do("answers", "b", "500")
	b.kill()
	a.do("answers", "c", "500")
	all([]*process{a, c}, "meet", "a", "c")

	// Nobody else restarts for it to be used again.
	node(t, "b", dir).do("serve")
	a.do("answers", "b", "500")
	r := get[report](a, "harvest")
	t.Logf("answered %v, failed %v, slowest answer %v, slowest error %v", r.Answered, r.Failed, r.SlowestAnswer, r.SlowestError)
	if len(r.FailedSafe) > 0 {
		t.Errorf("calls marked idempotent failed: %v: %v", r.FailedSafe, r.Examples)
	}
	r.expectOnlyUnavailable(t)
}

// expectOnlyUnavailable allows those to fail that were in flight, with the code
// that says so, and long before their deadline.
func (r report) expectOnlyUnavailable(t *testing.T) {
	t.Helper()
	for code, n := range r.Failed {
		if code != "unavailable" {
			t.Errorf("%d calls failed with %s: %v", n, code, r.Examples)
		}
	}
	if slowest := max(r.SlowestAnswer, r.SlowestError); slowest > patience/2 {
		t.Errorf("a call took %v of its deadline of %v", slowest, patience)
	}
}

func TestPendingCallsEndWithTheirNode(t *testing.T) {
	t.Parallel()
	a, b, c, _ := trio(t)
	waiting := a.begin("hold", "b")
	a.do("work", "b") // it has overtaken nothing: the call is there
	killed := time.Now()
	b.kill()
	o := decode[outcome](t, waiting.end())
	t.Logf("the call ended %v after the kill: %s", time.Since(killed).Round(time.Millisecond), o.Error)
	if o.Code != "unavailable" {
		t.Errorf("the call ended with %s: %s", o.Code, o.Error)
	}
	all([]*process{a, c}, "meet", "a", "c")
}
