package main

import (
	"errors"
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

func TestTheJobIsDoneByOneAtATimeAndNothingIsLeftBehind(t *testing.T) {
	stagetest.Perform(t, program(), 5)
}

func TestTheLedgerRefusesLowerTokens(t *testing.T) {
	l := newLedger()
	for _, c := range []struct {
		token   uint64
		refused bool
	}{{3, false}, {3, false}, {2, true}, {5, false}, {3, true}} {
		if _, err := l.write(nil, Write{Token: c.token}); errors.Is(err, errFenced) != c.refused {
			t.Errorf("token %d: %v, refused %v", c.token, err, c.refused)
		}
	}
	if lines, _ := l.look(); len(lines) != 3 {
		t.Errorf("lines %v", lines)
	}
}

func TestTwoAtTheJobAreNoticed(t *testing.T) {
	a, b := Write{Token: 1, By: "a"}, Write{Token: 2, By: "b"}
	if n := len(holders([]Write{a, a, b, b})); n != 2 {
		t.Errorf("%d one after another, want 2", n)
	}
	if n := len(holders([]Write{a, b, a, b})); n != 4 {
		t.Errorf("%d in turns, want 4", n)
	}
}
