package clustertest

import (
	"os"
	"testing"
)

// roomInMemory is what a few nodes need for their stores, with what those want to be free.
const roomInMemory = 1 << 30

// TempDir returns a folder that is removed when the test ends, for the state of a node
// whose time is virtual: one in memory, where the system has such a folder and room in
// it. The time of a bubble does not pass while a disk syncs, but outside it does.
func TempDir(t testing.TB) string {
	t.Helper()
	const shared = "/dev/shm"
	if roomIn(shared) < roomInMemory {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shared, "troupe")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clustertest: removing the test's folder: %v", err)
		}
	})
	return dir
}
