package clustertest

import (
	"bytes"
	"runtime"
)

// Goroutines counts the goroutines of the bubble of testing/synctest that the caller is
// in, such as that of [Run], to tell whether something was left behind. Those that come
// and go with the runtime are not among them, as they are in runtime.NumGoroutine. It
// returns 0 outside of a bubble. It may be called concurrently.
func Goroutines() int {
	stacks := make([]byte, 64<<10)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*n)
		n = runtime.Stack(stacks, true)
	}
	const bubble = "synctest bubble "
	own, _, _ := bytes.Cut(stacks[:n], []byte("]:\n"))
	_, id, inBubble := bytes.Cut(own, []byte(bubble))
	if !inBubble {
		return 0
	}
	return bytes.Count(stacks[:n], []byte(bubble+string(id)+"]:\n"))
}
