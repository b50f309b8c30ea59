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
	// A probe of memberlist outlives Leave by up to a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestTheRoomsGoOnAndNothingIsLeftBehind(t *testing.T) {
	stagetest.Perform(t, program(), len(roomNames())+1)
}
