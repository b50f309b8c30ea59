package networktest

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/troupe-go/troupe/cluster"
)

// Host is one of the two hosts that the suite lets talk to each other; both may be
// the same machine.
type Host struct {
	// Network is the implementation under test, as seen from this host.
	Network cluster.Network
	// Address is where the host can listen: "host:0".
	Address string
}

// NewHosts makes two hosts that can reach each other. It is called once for each
// case; what it opens, it closes with t.Cleanup.
type NewHosts func(t *testing.T) (a, b Host)

// Run tests an implementation, one subtest for each case.
func Run(t *testing.T, hosts NewHosts) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			// There is no telling whether a goroutine already waits: each case must
			// hold in either order, and this makes both likely.
			c.run(newPair(t, hosts, runtime.Gosched))
		})
	}
}

// RunInBubble is Run with each case in a [testing/synctest] bubble of its own, for
// an implementation that does without the operating system.
func RunInBubble(t *testing.T, hosts NewHosts) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.run(newPair(t, hosts, synctest.Wait))
			})
		})
	}
}

type testCase struct {
	name string
	run  func(*pair)
}

func cases() []testCase {
	return []testCase{
		{"one port serves streams and packets", onePort},
		{"a port can be listened at once", portTaken},
		{"a malformed address is an error", malformedAddress},
		{"a cancelled context ends Listen and Dial", cancelledContext},
		{"a stream carries bytes both ways", echo},
		{"a stream gives its addresses", streamAddresses},
		{"a slow reader holds the writer back and loses nothing", backPressure},
		{"streams at once do not mix", manyStreams},
		{"writes at once are not torn", concurrentWrites},
		{"closing a stream ends it for the other side after the last byte", closeStream},
		{"closing a stream unblocks its reader and its writer", closeUnblocksStream},
		{"nobody listening refuses a dial", refused},
		{"closing a listener unblocks Accept and refuses dials", closeListener},
		{"a read deadline ends Read and can be renewed", readDeadline},
		{"a write deadline ends Write", writeDeadline},
		{"a packet arrives with the address to answer to", packets},
		{"a packet to nobody is no error", packetToNobody},
		{"closing a packet socket unblocks ReadFrom", closePackets},
		{"a read deadline ends ReadFrom", packetDeadline},
	}
}
