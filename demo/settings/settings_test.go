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

func TestTheShopsFollowAndNothingIsLeftBehind(t *testing.T) {
	stagetest.Perform(t, program(), 10)
}
