package e2e

import (
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// What is promised of an idle node; see also allowance.
const (
	idleShare  = 0.005 // of one core
	idleMemory = 60 << 20
)

func TestAnIdleNodeTakesLittle(t *testing.T) {
	if raceDetector() {
		t.Skip("SKIPPED: the race detector takes more than the node")
	}
	a, b, c, _ := trio(t)
	nodes := []*process{a, b, c}
	// The least of a few windows: other processes make the same work dearer.
	const windows, window = 4, 3 * time.Second
	least := make(map[*process]float64)
	writes := make(map[*process][]int)
	for i := range windows {
		before, wrote, begin := make(map[*process]time.Duration), make(map[*process]int), time.Now()
		for _, p := range nodes {
			before[p], wrote[p] = cpuTime(t, p.cmd.Process.Pid), written(t, p.cmd.Process.Pid)
		}
		<-time.After(window)
		for _, p := range nodes {
			if n := written(t, p.cmd.Process.Pid) - wrote[p]; n > 0 {
				writes[p] = append(writes[p], n)
			}
			share := float64(cpuTime(t, p.cmd.Process.Pid)-before[p]) / float64(time.Since(begin))
			if i == 0 || share < least[p] {
				least[p] = share
			}
		}
	}
	for _, p := range nodes {
		memory := residentSet(t, p.cmd.Process.Pid)
		t.Logf("%s takes %.2f %% of a core and %.1f MB", p.name, 100*least[p], float64(memory)/(1<<20))
		// Looking into the folder of addresses after another node has changed it makes the
		// kernel write when that was (relatime): 4096 bytes, once for each change.
		if len(writes[p]) > 1 {
			t.Errorf("%s has written to disk in %d of %d windows: %d bytes", p.name, len(writes[p]), windows, writes[p])
		}
		if least[p] > allowance*idleShare {
			t.Errorf("%s takes %.2f %% of a core, %.2f %% is promised", p.name, 100*least[p], 100*idleShare)
		}
		if memory > idleMemory {
			t.Errorf("%s takes %d bytes of memory", p.name, memory)
		}
	}
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
