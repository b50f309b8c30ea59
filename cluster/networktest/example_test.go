package networktest_test

import (
	"testing"

	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/networktest"
)

// A network of one's own is tested like this one, in a test of its package.
func ExampleRun() {
	testMyNetwork := func(t *testing.T) {
		networktest.Run(t, func(t *testing.T) (a, b networktest.Host) {
			host := networktest.Host{Network: cluster.IPNetwork{}, Address: "127.0.0.1:0"}
			return host, host
		})
	}
	_ = testMyNetwork // go test calls it: func TestMyNetwork(t *testing.T)
}
