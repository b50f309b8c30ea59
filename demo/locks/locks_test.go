package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the main function of the processes, which are the test's own
// executable.
func TestMain(m *testing.M) {
	if name := os.Getenv(nameEnv); name != "" {
		if err := live(name, os.Getenv(dirEnv)); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	// memberlist does not wait for its last probe: it ends within a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestTheJobIsDoneByOneAtATimeAndNothingIsLeftBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and kills one")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	t.Setenv("TROUPE_SECRET", "this must not reach the nodes of the demo")
	var out bytes.Buffer
	if err := run(t.Context(), &out, false); err != nil {
		t.Error(err)
	}
	if t.Failed() || testing.Verbose() {
		t.Log(out.String())
	}
	if n := strings.Count(out.String(), "  ok "); n != 5 {
		t.Errorf("%d of 5 promises are kept", n)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
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
	var out bytes.Buffer
	r := &report{out: &out}
	r.claim(false, "nothing of %s", "that")
	if r.broken != 1 || out.String() != "  FAIL  nothing of that\n" {
		t.Errorf("%d broken, printed %q", r.broken, &out)
	}
}
