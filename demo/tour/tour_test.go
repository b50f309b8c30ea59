package main

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/demo/internal/stage"
	"github.com/troupe-go/troupe/demo/internal/stage/stagetest"
)

func TestMain(m *testing.M) {
	if code, isChild := short().MainOfChild(); isChild {
		os.Exit(code)
	}
	// memberlist does not wait for its last probe: it ends within a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func short() stage.Program {
	return program(size{calls: 2_000, casts: 10_000, lead: 200 * time.Millisecond})
}

func TestShortTourHoldsAndLeavesNothingBehind(t *testing.T) {
	stagetest.Perform(t, short(), 24)
}
