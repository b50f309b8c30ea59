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
	// A probe of memberlist outlives Leave by up to a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func short() stage.Program { return program(1, 200*time.Millisecond) }

func TestTheBooksAreRightAfterAKillAndNothingIsLeftBehind(t *testing.T) {
	stagetest.Perform(t, short(), 4)
}
