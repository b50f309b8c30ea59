//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/chaos"
)

// tormentVar, in the environment, says how long faults happen to each cluster of
// processes, such as 1h; without it the test is skipped. tormentSeedVar is the seed of
// the faults.
const (
	tormentVar     = "TROUPE_TORMENT"
	tormentSeedVar = "TROUPE_TORMENT_SEED"
)

func TestThePromisesHoldUnderFaultsOfTheNetwork(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv(tormentVar))
	if err != nil {
		t.Skipf("SKIPPED: it takes minutes; set %s to how long faults shall happen, such as 2m", tormentVar)
	}
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv(tormentSeedVar), "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, nodes := range []int{3, 5} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) { underFaults(t, nodes, length, seed) })
	}
}

func underFaults(t *testing.T, nodes int, length time.Duration, seed uint64) {
	c := &victims{t: t, dir: shortDir(t), seed: seed}
	l, err := net.Listen("unix", c.socket())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		serveResource(l)
	}()
	defer func() { // its writers end with their processes
		_ = l.Close()
		<-served
	}()
	network := newNetwork(t)
	for i := range nodes {
		c.hosts = append(c.hosts, network.host())
		c.processes = append(c.processes, nil)
		c.cuts = map[[2]int]bool{}
		c.Restart(i)
	}
	var names []string
	for i := range nodes {
		names = append(names, c.name(i))
	}
	all(c.processes, append([]string{"meet"}, names...)...)
	all(c.processes, "write") // two halves may else found a core each
	chaos.Torment(t.Context(), c, seed, length, func(what string) { t.Log(what) })
	all(c.processes, append([]string{"meet"}, names...)...)
	healed := time.Now()
	all(c.processes, "write")
	t.Logf("all nodes could write %v after they had met again", time.Since(healed).Round(time.Millisecond))
	all(c.processes, "rest")
	report, err := chaos.Check(c.events(), 10*time.Minute)
	t.Logf("%+v", report)
	if err != nil {
		t.Error(err)
	}
	if report.Done < 100 {
		t.Errorf("only %d operations were done: nothing was tested", report.Done)
	}
}

// victims are nodes in processes of their own, each on a host of its own.
type victims struct {
	t         *testing.T
	dir       string
	hosts     []*host
	processes []*process
	cuts      map[[2]int]bool
	runs      int
	seed      uint64
}

func (v *victims) socket() string    { return filepath.Join(v.dir, "resource") }
func (v *victims) name(i int) string { return string(rune('a' + i)) }
func (v *victims) Nodes() int        { return len(v.hosts) }

func (v *victims) Leader() int {
	for _, p := range v.processes {
		leader := get[string](p, "leader")
		for i := range v.processes {
			if v.name(i) == leader {
				return i
			}
		}
	}
	return -1
}

func (v *victims) Cut(from, to int) {
	if !v.cuts[[2]int{from, to}] {
		v.cuts[[2]int{from, to}] = true
		v.hosts[to].drop(v.hosts[from])
	}
}

func (v *victims) Heal() {
	for cut := range v.cuts {
		v.hosts[cut[1]].heal(v.hosts[cut[0]])
	}
	clear(v.cuts)
}

func (v *victims) Kill(i int)   { v.processes[i].kill() }
func (v *victims) Pause(i int)  { v.processes[i].signal(syscall.SIGSTOP) }
func (v *victims) Resume(i int) { v.processes[i].signal(syscall.SIGCONT) }

// Restart starts a node, and its clients.
func (v *victims) Restart(i int) {
	v.runs++
	p := v.hosts[i].start(v.name(i), secret, "TROUPE_E2E_TIMING=local", "TROUPE_STATE_DIR="+filepath.Join(v.dir, v.name(i)))
	v.processes[i] = p
	p.do("join")
	run := fmt.Sprintf("%s.%d", v.name(i), v.runs)
	p.do("torment", filepath.Join(v.dir, run+".events"), v.socket(), run, strconv.FormatUint(v.seed+uint64(v.runs), 10))
}

// events returns what all runs have recorded.
func (v *victims) events() (events []chaos.Event) {
	v.t.Helper()
	files, err := filepath.Glob(filepath.Join(v.dir, "*.events"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			v.t.Fatal(err)
		}
		part, err := chaos.ReadEvents(f)
		_ = f.Close()
		if err != nil {
			v.t.Fatal(name, err)
		}
		events = append(events, part...)
	}
	return events
}

// shortDir is a folder whose name is short enough for sockets in it.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "torment")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
