package lock

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestInspectShowsWhoHoldsAndWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.node("a"), w.node("b")
		if s, err := inspect(t.Context(), b, "x"); err != nil || len(s.Holders)+len(s.Waiters) > 0 {
			t.Errorf("nobody: %+v, %v", s, err)
		}
		asked := time.Now()
		first := mustAcquire(t, a, "x", Shared(), WithValue("report \xff"))
		second := mustAcquire(t, b, "x", Shared())
		a.begin("x")
		synctest.Wait()
		b.begin("x", Permits(2, 5))
		synctest.Wait()
		s, err := inspect(t.Context(), b, "x")
		must(t, err)
		if len(s.Holders) != 2 || len(s.Waiters) != 2 {
			t.Fatalf("%+v", s)
		}
		h := s.Holders[0]
		if !h.Since.Equal(asked) {
			t.Errorf("since %v, want %v", h.Since, asked)
		}
		h.Since = time.Time{}
		want := Claim{Node: "a", Session: "a-1", Token: first.Token(), Value: "report \xff", Permits: 1}
		if h != want || s.Holders[1].Token != second.Token() {
			t.Errorf("holders %+v", s.Holders)
		}
		if w := s.Waiters[0]; w.Node != "a" || w.Permits != 1 || w.Of != 1 || w.Token <= second.Token() {
			t.Errorf("first waiter %+v", w)
		}
		if w := s.Waiters[1]; w.Node != "b" || w.Permits != 2 || w.Of != 5 || w.Token <= s.Waiters[0].Token {
			t.Errorf("second waiter %+v", w)
		}
	})
}
