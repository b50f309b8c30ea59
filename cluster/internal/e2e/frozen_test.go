//go:build unix

package e2e

import (
	"syscall"
	"testing"
	"time"
)

func TestAFrozenNodeIsGivenUpAndComesBack(t *testing.T) {
	t.Parallel()
	a, b, c, _ := trio(t)
	waiting := a.begin("hold", "b")
	a.do("work", "b")
	a.do("load", "8")
	a.do("answers", "b", "50")
	frozen := time.Now()
	b.signal(syscall.SIGSTOP)
	o := decode[outcome](t, waiting.end())
	t.Logf("the call ended after %v: %s", time.Since(frozen).Round(time.Millisecond), o.Error)
	if o.Code != "unavailable" {
		t.Errorf("the call ended with %s: %s", o.Code, o.Error)
	}
	all([]*process{a, c}, "meet", "a", "c")
	a.do("answers", "c", "50")

	thawed := time.Now()
	b.signal(syscall.SIGCONT)
	all([]*process{a, b, c}, "meet", "a", "b", "c")
	t.Logf("one cluster again %v after it went on", time.Since(thawed).Round(time.Millisecond))
	a.do("answers", "b", "50")
	r := get[report](a, "harvest")
	t.Logf("answered %v, failed %v, slowest answer %v, slowest error %v", r.Answered, r.Failed, r.SlowestAnswer, r.SlowestError)
	if len(r.FailedSafe) > 0 {
		t.Errorf("calls marked idempotent failed: %v: %v", r.FailedSafe, r.Examples)
	}
	r.expectOnlyUnavailable(t)
}

func TestANodeLeavesWhenItsProcessIsTold(t *testing.T) {
	a, b, c, _ := trio(t)
	others := []*process{a, c}
	var answers []*answer
	for _, p := range others {
		answers = append(answers, p.begin("meet", "a", "c"))
	}
	told := time.Now()
	b.signal(syscall.SIGTERM)
	for _, known := range answers {
		known.end()
	}
	t.Logf("its peers knew after %v", time.Since(told).Round(time.Millisecond))
	if took := time.Since(told); took > formationLimit {
		t.Errorf("its peers knew after %v", took)
	}
	<-b.exited
	if !b.cmd.ProcessState.Success() {
		t.Errorf("the process ended with %s", b.cmd.ProcessState)
	}
	for _, p := range others {
		p.awaitLog("node left", "peer=b") // it was not taken for dead
	}
}
