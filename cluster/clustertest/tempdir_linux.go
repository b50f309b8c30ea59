package clustertest

import "syscall"

// roomIn returns how many bytes are free; 0 if the folder is not there.
func roomIn(folder string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
