package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What takes minutes runs only where these variables are set: how many crashes are
// measured, and how long live nodes are watched, as by
//
//	TROUPE_NOTICE=20 TROUPE_SUSPECT=5m go test ./cluster/internal/e2e -run 'Noticed|Suspected' -v -timeout 1h
//
// The binary of this test made by another commit (go test -c) can do the same beside it,
// on networks of its own, under the same load: TROUPE_NOTICE_BASE is its path.
const (
	noticeVar  = "TROUPE_NOTICE"
	suspectVar = "TROUPE_SUSPECT"
	baseVar    = "TROUPE_NOTICE_BASE"
)

// noticePromise is how soon all know of a crash, with LAN timing.
const noticePromise = 3 * time.Second

// builds returns the binaries to compare, by what they are called.
func builds(t *testing.T) map[string]string {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{"this": own}
	if base := os.Getenv(baseVar); base != "" {
		found["base"] = base
	}
	return found
}

// settlement is a cluster of one build, each node on a host of its own.
type settlement struct {
	t     *testing.T
	build string
	names []string
	nodes map[string]*island
}

func found(t *testing.T, build string, size int) *settlement {
	t.Helper()
	n := newNetwork(t)
	s := &settlement{t: t, build: build, nodes: make(map[string]*island)}
	for i := range size {
		name := string(rune('a' + i))
		s.names = append(s.names, name)
		s.start(name, n.host())
	}
	s.meet()
	return s
}

func (s *settlement) start(name string, h *host) {
	s.t.Helper()
	env := []string{"TROUPE_NAME=" + name, secret, "TROUPE_E2E_TIMING=lan", "TROUPE_E2E_DEBUG=1", "TROUPE_STATE_DIR=" + s.t.TempDir()}
	p := startBinary(s.t, s.build, name, env, h.enter()...)
	p.do("join")
	s.nodes[name] = &island{h, p}
}

// meet waits until all see all.
func (s *settlement) meet() {
	s.t.Helper()
	for _, a := range s.begin(s.names) {
		a.end()
	}
}

// begin lets the named nodes wait until they are the members.
func (s *settlement) begin(names []string) (waiting []*answer) {
	s.t.Helper()
	for _, name := range names {
		waiting = append(waiting, s.nodes[name].begin(append([]string{"meet"}, names...)...))
	}
	return waiting
}

func TestACrashIsNoticedInTime(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv(noticeVar))
	if err != nil {
		t.Skipf("SKIPPED: %s says how many crashes to measure", noticeVar)
	}
	t.Parallel()
	vanish := func(h *host, action string) {
		for _, chain := range []string{"INPUT", "OUTPUT"} {
			h.iptables(action, chain, "-j", "DROP")
		}
	}
	for _, crash := range []struct {
		name        string
		begin, undo func(*settlement, string)
	}{
		{"SIGKILL",
			func(s *settlement, name string) { s.nodes[name].kill() },
			func(s *settlement, name string) { s.start(name, s.nodes[name].host) }},
		{"host gone",
			func(s *settlement, name string) { vanish(s.nodes[name].host, "-A") },
			func(s *settlement, name string) { vanish(s.nodes[name].host, "-D") }},
	} {
		for _, size := range []int{3, 5} {
			for label, build := range builds(t) {
				t.Run(fmt.Sprintf("%s, %d nodes, %s", crash.name, size, label), func(t *testing.T) {
					t.Parallel()
					s := found(t, build, size)
					var took []time.Duration
					for i := range kills {
						victim := s.names[i%size]
						rest := slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return n == victim })
						waiting := s.begin(rest)
						began := time.Now()
						crash.begin(s, victim)
						for _, a := range waiting {
							a.end()
						}
						took = append(took, time.Since(began))
						crash.undo(s, victim)
						s.meet()
					}
					slices.Sort(took)
					median := took[len(took)/2]
					t.Logf("%d crashes noticed by all after %v at the median, %v at most", kills, round(median), round(took[len(took)-1]))
					if label == "this" && median > noticePromise {
						t.Errorf("noticed after %v at the median, %v is promised", median, noticePromise)
					}
				})
			}
		}
	}
}

// TestLiveNodesAreNotSuspected loses two packets of a hundred on every host, and leaves
// the nodes no core to themselves.
func TestLiveNodesAreNotSuspected(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv(suspectVar))
	if err != nil {
		t.Skipf("SKIPPED: %s says how long to watch live nodes", suspectVar)
	}
	const size = 5
	clusters := make(map[string]*settlement)
	for label, build := range builds(t) {
		s := found(t, build, size)
		clusters[label] = s
		for _, node := range s.nodes {
			node.iptables("-A", "INPUT", "-m", "statistic", "--mode", "random", "--probability", "0.02", "-j", "DROP")
		}
	}
	for range 2 * runtime.NumCPU() {
		loop := exec.Command("sh", "-c", "while :; do :; done")
		if err := loop.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = loop.Process.Kill()
			_ = loop.Wait() // it was killed
		}()
	}
	<-time.After(duration)
	lost := make(map[string]int)
	for label, s := range clusters {
		suspected, failed, unreachable := 0, 0, 0
		for _, node := range s.nodes {
			log := node.log.String()
			suspected += strings.Count(log, "Refuting a suspect message") // by the node itself
			failed += strings.Count(log, "no acks received")              // by others, if they log that
			unreachable += strings.Count(log, "cannot be reached")
			lost[label] += strings.Count(log, "node lost")
		}
		t.Logf("%s: in %v live nodes heard %d times that they are suspected, and were given up %d times; %d probes failed, %d times a node could not be reached",
			label, duration, suspected, lost[label], failed, unreachable)
	}
	if base, compared := lost["base"]; compared && lost["this"] > base {
		t.Errorf("live nodes were given up %d times, %d times by the base", lost["this"], base)
	}
}
