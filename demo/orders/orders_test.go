package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/demo/internal/stage/stagetest"
)

func TestMain(m *testing.M) {
	if code, isChild := program().MainOfChild(); isChild {
		os.Exit(code)
	}
	// memberlist does not wait for its last probe: it ends within a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestNoOrderIsLostAndNothingIsLeftBehind(t *testing.T) {
	stagetest.Perform(t, program(), 9)
}

// handled returns lines from numbers of orders and attempts in turn.
func handled(customer string, pairs ...int) (lines []Handled) {
	for i := 0; i < len(pairs); i += 2 {
		lines = append(lines, Handled{Order: Order{Number: pairs[i], Customer: customer}, Attempt: pairs[i+1]})
	}
	return lines
}

func TestWhatIsOutOfOrderIsNoticed(t *testing.T) {
	for _, c := range []struct {
		lines []Handled
		want  bool
	}{
		{handled("a", 1, 1, 2, 1, 3, 1), true},
		{handled("a", 1, 1, 3, 1, 2, 1), false},
		{handled("a", 1, 1, 2, 1, 1, 2, 3, 1), true},
		{append(handled("a", 5, 1), handled("b", 2, 1)...), true},
	} {
		if got := inOrder(c.lines); got != c.want {
			t.Errorf("%+v: in order %v, want %v", c.lines, got, c.want)
		}
	}
}

func TestWhatCameTwiceWithoutAMarkIsNoticed(t *testing.T) {
	if n := unmarked(handled("a", 1, 1, 1, 2, 2, 2, 2, 1)); n != 0 {
		t.Errorf("%d unmarked, want none", n)
	}
	if n := unmarked(handled("a", 1, 1, 1, 1, 2, 1)); n != 1 {
		t.Errorf("%d unmarked, want 1", n)
	}
}
