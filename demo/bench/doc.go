// Package bench compares Troupe with systems that do one of its jobs, in the same run on
// the same machine. It is a module of its own, so that what it needs of them is no
// dependency of Troupe, and it has no code besides its benchmarks:
//
//	cd demo/bench && go test -bench .
//
// The program figures beside it compares Troupe with an earlier commit of itself, by what
// a cluster of processes promises under restarts, crashes, splits and hanging disks.
package bench
