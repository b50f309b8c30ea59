package balancertest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/troupe-go/troupe/cluster"
)

// Promise is what a balancer may promise beyond the contract.
type Promise int

// LeavesNoneOut says that each of ten candidates is picked at least once for
// 2,000 different messages.
const LeavesNoneOut Promise = iota + 1

// The largest number of candidates, and the number of messages, of a test.
const (
	maxCandidates = 100
	messages      = 2000
)

// Run tests that the balancers made by newBalancer do what cluster.Balancer asks,
// and keep the given promises, each in a subtest of its own; with the race
// detector it also finds unsafe access. newBalancer returns a new balancer at
// every call. The messages are the strings "message-0", "message-1" and so on; the
// balancer must not refuse them.
func Run(t *testing.T, newBalancer func() cluster.Balancer, promises ...Promise) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, cluster.Balancer)
	}{
		{"the index is that of a candidate", indexInRange},
		{"candidates may come and go", changingCandidates},
		{"candidates are not changed", leavesCandidatesAlone},
		{"it may be used concurrently", concurrentUse},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newBalancer()) })
	}
	if slices.Contains(promises, LeavesNoneOut) {
		t.Run("it leaves none out", func(t *testing.T) { leavesNoneOut(t, newBalancer()) })
	}
}

func candidates(count int) []cluster.Instance {
	all := make([]cluster.Instance, count)
	for i := range all {
		all[i] = cluster.Instance{Node: fmt.Sprintf("node-%03d", i), Path: "service"}
	}
	return all
}

func message(i int) string { return fmt.Sprintf("message-%d", i) }

// pick fails the test unless the balancer picks one of the candidates.
func pick(t *testing.T, b cluster.Balancer, message any, among []cluster.Instance) int {
	t.Helper()
	index, err := b.Pick(message, among)
	if err != nil {
		t.Errorf("Pick(%v) of %d: %v", message, len(among), err)
		return 0
	}
	if index < 0 || index >= len(among) {
		t.Errorf("Pick(%v) of %d = %d", message, len(among), index)
		return 0
	}
	return index
}

func indexInRange(t *testing.T, b cluster.Balancer) {
	for count := 1; count <= maxCandidates; count++ {
		among := candidates(count)
		for i := range 20 {
			pick(t, b, message(i), among)
		}
	}
}

func changingCandidates(t *testing.T, b cluster.Balancer) {
	all := candidates(maxCandidates)
	for i := range messages {
		from := i * 7 % maxCandidates
		to := from + 1 + i*13%(maxCandidates-from)
		pick(t, b, message(i), all[from:to])
	}
}

func leavesCandidatesAlone(t *testing.T, b cluster.Balancer) {
	among := candidates(maxCandidates)
	for i := range messages {
		pick(t, b, message(i), among)
	}
	if !slices.Equal(among, candidates(maxCandidates)) {
		t.Errorf("the candidates are now %v", among)
	}
}

func concurrentUse(t *testing.T, b cluster.Balancer) {
	among := candidates(10)
	var picking sync.WaitGroup
	for g := range 8 {
		picking.Go(func() {
			for i := range messages {
				pick(t, b, message(g*messages+i), among)
			}
		})
	}
	picking.Wait()
}

func leavesNoneOut(t *testing.T, b cluster.Balancer) {
	among := candidates(10)
	picked := make([]int, len(among))
	for i := range messages {
		picked[pick(t, b, message(i), among)]++
	}
	if slices.Contains(picked, 0) {
		t.Errorf("of %d messages the candidates got %v", messages, picked)
	}
}
