package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the main function of the processes that have rooms, which are the
// test's own executable.
func TestMain(m *testing.M) {
	if dir := os.Getenv(dirEnv); dir != "" {
		if err := keepHouse(dir, os.Getenv(nameEnv)); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	// A probe of memberlist outlives Leave by up to a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestTheRoomsGoOnAndNothingIsLeftBehind(t *testing.T) {
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
	if n := strings.Count(out.String(), "  ok "); n != len(roomNames())+1 {
		t.Errorf("%d of %d claims hold", n, len(roomNames())+1)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
}

func TestABrokenClaimIsNoticed(t *testing.T) {
	var out bytes.Buffer
	r := &report{out: &out}
	r.claim(false, "a claim of %s", "mine")
	if r.broken != 1 || out.String() != "  FAIL  a claim of mine\n" {
		t.Errorf("%d broken, printed %q", r.broken, &out)
	}
}
