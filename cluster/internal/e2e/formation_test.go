package e2e

import (
	"testing"
	"time"
)

// formationLimit is far above the two seconds that are promised, which the tests
// print: how long it takes depends on what else the machine does.
const formationLimit = 10 * time.Second

// formed waits until both processes, which begin at that moment, are members of
// one cluster, and logs how long that took.
func formed(t *testing.T, begin time.Time, processes ...*process) {
	t.Helper()
	names := []string{"meet"}
	var joins []*answer
	for _, p := range processes {
		joins = append(joins, p.begin("join"))
	}
	for _, j := range joins {
		names = append(names, decode[joined](t, j.end()).Name)
	}
	all(processes, names...)
	took := time.Since(begin)
	t.Logf("one cluster %v after the start of the processes", took.Round(time.Millisecond))
	if took > formationLimit {
		t.Errorf("it took %v to form a cluster of two", took)
	}
}

// No secret, no flag: such nodes listen on loopback, where there is no multicast.
func TestTwoProcessesOfOneHostAreOneCluster(t *testing.T) {
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}, {"a", "b"}, {"b", "a"}, {"a", "b"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			dir := t.TempDir()
			begin := time.Now()
			var processes []*process
			for _, name := range order {
				processes = append(processes, start(t, name, []string{"TROUPE_STATE_DIR=" + dir, "TROUPE_NAME=" + name}))
			}
			if order[0] == "b" { // members are sorted
				processes[0], processes[1] = processes[1], processes[0]
			}
			formed(t, begin, processes...)
		})
	}
}

func TestNodesWithoutNamesGetTheirOwn(t *testing.T) {
	dir := t.TempDir()
	env := []string{"TROUPE_STATE_DIR=" + dir}
	a := start(t, "first", env)
	first := get[joined](a, "join").Name
	b := start(t, "second", env)
	second := get[joined](b, "join").Name
	if first == second {
		t.Fatalf("both are called %q", first)
	}
	all([]*process{a, b}, "meet", first, second)
}

const secret = "TROUPE_SECRET=correct horse battery staple, twice over"

func TestTwoHostsMeetByMulticastAlone(t *testing.T) {
	n := newNetwork(t)
	a, b := n.host(), n.host()
	begin := time.Now()
	formed(t, begin,
		a.start("a", secret, "TROUPE_STATE_DIR="+t.TempDir()),
		b.start("b", secret, "TROUPE_STATE_DIR="+t.TempDir()))
}

func TestTwoProcessesOfOneHostMeetWithMulticastBlocked(t *testing.T) {
	h := newNetwork(t).host()
	h.blockMulticast()
	dir := "TROUPE_STATE_DIR=" + t.TempDir()
	begin := time.Now()
	formed(t, begin, h.start("a", secret, dir), h.start("b", secret, dir))
}
