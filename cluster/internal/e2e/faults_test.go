//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/internal/chaos"
)

// tormentVar, in the environment, says how long faults happen to each cluster of
// processes, such as 1h; without it the test is skipped. tormentSeedVar is the seed of
// the faults, tormentKindsVar restricts them to those whose names have one of its words
// in them, with commas between these.
const (
	tormentVar      = "TROUPE_TORMENT"
	tormentSeedVar  = "TROUPE_TORMENT_SEED"
	tormentKindsVar = "TROUPE_TORMENT_KINDS"
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
	plan := chaos.Plan{Seed: seed, Length: length}
	if kinds := os.Getenv(tormentKindsVar); kinds != "" {
		plan.Kinds = strings.Split(kinds, ",")
	}
	for _, nodes := range []int{3, 5} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			plan := plan
			plan.Log = func(what string) { t.Log(what) }
			underFaults(t, nodes, plan)
		})
	}
}

func underFaults(t *testing.T, nodes int, plan chaos.Plan) {
	c := &victims{t: t, dir: shortDir(t), seed: plan.Seed, cuts: map[[2]int]bool{}, tracers: map[int]*exec.Cmd{}}
	if !c.CanHang() {
		t.Log("NOT TESTED HERE: a disk that hangs, which needs strace")
	}
	defer c.unhangAll()
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
	for range nodes {
		c.hosts = append(c.hosts, network.host())
	}
	c.processes = make([]*process, nodes)
	began := time.Now()
	for i := range nodes {
		c.Restart(i)
	}
	var names []string
	for i := range nodes {
		names = append(names, c.name(i))
	}
	all(c.processes, append([]string{"meet"}, names...)...)
	all(c.processes, "write") // two halves may else found a core each
	apart := chaos.Torment(t.Context(), c, plan)
	all(c.processes, append([]string{"meet"}, names...)...)
	healed := time.Now()
	all(c.processes, "write")
	t.Logf("all nodes could write %v after they had met again", time.Since(healed).Round(time.Millisecond))
	c.processes[0].do("audit", strconv.FormatInt(began.Unix(), 10))
	all(c.processes, "rest")
	events := c.events()
	tallies := chaos.Count(events, apart, c.name)
	t.Logf("of what nodes were asked that were not apart:\n%v", tallies)
	if err := tallies.Excess(); err != nil {
		t.Error(err)
	}
	report, err := chaos.Check(events, 10*time.Minute)
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
	tracers   map[int]*exec.Cmd // of nodes whose disks hang
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

// votersByDefault is how many nodes keep the store by themselves: no test has fewer.
const votersByDefault = 3

func (v *victims) AwaitVoters() { v.processes[0].do("voters", strconv.Itoa(votersByDefault)) }

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

// Leave tells a node to leave. One that has not within a minute is killed.
func (v *victims) Leave(i int) {
	v.processes[i].signal(syscall.SIGTERM)
	select {
	case <-v.processes[i].exited:
	case <-time.After(time.Minute):
		v.t.Errorf("%s has not left within a minute", v.name(i))
		v.processes[i].kill()
	}
}

// Wipe removes the files of a node, but for what its clients have recorded.
func (v *victims) Wipe(i int) {
	if err := os.RemoveAll(v.stateDir(i)); err != nil {
		v.t.Error(err)
	}
}

func (v *victims) stateDir(i int) string { return filepath.Join(v.dir, v.name(i)) }

// CanHang is whether there is strace, which can delay what a process asks of the system.
func (v *victims) CanHang() bool {
	_, err := exec.LookPath("strace")
	return err == nil
}

// Hang delays each sync of the node by a minute.
func (v *victims) Hang(i int) {
	const syncs = "fsync,fdatasync,msync"
	tracer := exec.Command("strace", "-f", "-q", "-o", "/dev/null", "-p", strconv.Itoa(v.processes[i].cmd.Process.Pid),
		"-e", "trace="+syncs, "-e", "inject="+syncs+":delay_enter=60000000")
	if err := tracer.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.tracers[i] = tracer
}

// Unhang lets syncs go on, also those that hang.
func (v *victims) Unhang(i int) {
	if tracer := v.tracers[i]; tracer != nil {
		_ = tracer.Process.Signal(os.Interrupt) // fails when its process has ended
		_ = tracer.Wait()                       // it was interrupted
		delete(v.tracers, i)
	}
}

func (v *victims) unhangAll() {
	for i := range v.processes {
		v.Unhang(i)
	}
}

// Restart starts a node, and its clients.
func (v *victims) Restart(i int) {
	v.runs++
	p := v.hosts[i].start(v.name(i), secret, "TROUPE_E2E_TIMING=local", "TROUPE_STATE_DIR="+v.stateDir(i),
		fmt.Sprint("TROUPE_E2E_EXPECT=", votersByDefault))
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
