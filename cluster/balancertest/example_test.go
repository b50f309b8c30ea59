package balancertest_test

import (
	"testing"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/balancertest"
)

// first is a balancer that always picks the first candidate.
type first struct{}

func (first) Pick(any, []cluster.Instance) (int, error) { return 0, nil }

// A test of a balancer of one's own.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestFirst(t *testing.T)
		balancertest.Run(t, func() cluster.Balancer { return first{} })
	}
	// Output:
}
