package e2e

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"
)

// usage is what a process takes, after a collection of garbage.
type usage struct {
	Goroutines int
	Heap       uint64 // bytes in use
	Mallocs    uint64 // so far
}

func currentUsage() usage {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc, Mallocs: m.Mallocs}
}

const settleTime = 30 * time.Second

// settle waits until usage is within the limits.
func settle(ctx context.Context, goroutines, heap string) (usage, error) {
	maxGoroutines, err := strconv.Atoi(goroutines)
	if err != nil {
		return usage{}, err
	}
	maxHeap, err := strconv.ParseUint(heap, 10, 64)
	if err != nil {
		return usage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		u := currentUsage()
		if u.Goroutines <= maxGoroutines && u.Heap <= maxHeap {
			return u, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			return u, fmt.Errorf("%+v did not come down to %s goroutines and %s bytes within %v", u, goroutines, heap, settleTime)
		}
	}
}

// cpuTime returns what a process has used of all cores, to the nanosecond. Linux
// counts it per thread.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Skipf("SKIPPED, not measured here: this system does not count the CPU time of threads (%v)", err)
	}
	var sum time.Duration
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has gone
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// residentSet returns the memory of a process in bytes.
func residentSet(t testing.TB, pid int) int {
	t.Helper()
	return number(t, pid, "status", "VmRSS") << 10 // kB
}

// written returns how many bytes a process has sent to disks so far.
func written(t testing.TB, pid int) int {
	t.Helper()
	return number(t, pid, "io", "write_bytes")
}

// number returns what a line of a file about the process says.
func number(t testing.TB, pid int, file, name string) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(append([]byte("\n"), text...), []byte("\n"+name+":"))
	if _, err := fmt.Sscan(string(rest), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// profileVar, in the environment, names a folder for CPU and allocation profiles
// of the children.
const profileVar = "TROUPE_E2E_PROFILES"

func startProfiles(log *slog.Logger) (stop func()) {
	dir := os.Getenv(profileVar)
	if dir == "" {
		return func() {}
	}
	path := func(kind string) string { return filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", kind, os.Getpid())) }
	cpu, err := os.Create(path("cpu"))
	if err == nil {
		err = pprof.StartCPUProfile(cpu)
	}
	if err != nil {
		log.Error("no profile", "error", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		allocs, err := os.Create(path("allocs"))
		if err == nil {
			err = pprof.Lookup("allocs").WriteTo(allocs, 0)
		}
		if err != nil {
			log.Error("no profile", "error", err)
		}
	}
}
