package balancertest_test

import (
	"testing"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/balancertest"
)

func TestABalancerNeedNotUseAllCandidates(t *testing.T) {
	balancertest.Run(t, func() cluster.Balancer { return first{} })
}

func TestRoundRobinKeepsThePromise(t *testing.T) {
	balancertest.Run(t, func() cluster.Balancer { return new(cluster.RoundRobin) }, balancertest.LeavesNoneOut)
}
