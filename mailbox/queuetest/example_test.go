package queuetest_test

import (
	"testing"

	"github.com/troupe-go/troupe/mailbox"
	"github.com/troupe-go/troupe/mailbox/queuetest"
)

// A test of one's own queue; here, of one of the library's.
func ExampleRun() {
	_ = func(t *testing.T) {
		queuetest.Run(t, func() mailbox.Queue[int] { return mailbox.NewUnbounded[int]() })
	}
	// Output:
}
