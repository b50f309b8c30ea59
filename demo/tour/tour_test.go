package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is also the main function of the nodes that the tour starts: they are the
// test's own executable.
func TestMain(m *testing.M) {
	if name := os.Getenv(nodeEnv); name != "" {
		if err := live(name); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	// memberlist does not wait for its last probe: it ends within a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestShortTourHoldsAndLeavesNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and waits for one to be found dead")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	t.Setenv("TROUPE_SECRET", "this must not reach the nodes of the tour")
	var out bytes.Buffer
	s := size{calls: 2_000, casts: 10_000, lead: 200 * time.Millisecond}
	if err := take(t.Context(), &report{out: &out}, s, false); err != nil {
		t.Error(err)
	}
	if t.Failed() || testing.Verbose() {
		t.Log(out.String())
	}
	if n := strings.Count(out.String(), held); n != 7 {
		t.Errorf("%d of 7 steps held", n)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
}
