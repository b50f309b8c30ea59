package mailbox_test

import (
	"testing"

	"github.com/troupe-go/troupe/mailbox"
	"github.com/troupe-go/troupe/mailbox/queuetest"
)

func TestQueuesConform(t *testing.T) {
	bounded := func(capacity int, overflow mailbox.Overflow) func() mailbox.Queue[int] {
		return func() mailbox.Queue[int] { return mailbox.NewBounded[int](capacity, overflow, nil) }
	}
	for name, newQueue := range map[string]func() mailbox.Queue[int]{
		"Unbounded":            func() mailbox.Queue[int] { return mailbox.NewUnbounded[int]() },
		"Bounded Reject 1":     bounded(1, mailbox.Reject),
		"Bounded Reject 100":   bounded(100, mailbox.Reject),
		"Bounded Block 1":      bounded(1, mailbox.Block),
		"Bounded Block 100":    bounded(100, mailbox.Block),
		"Bounded Block large":  bounded(2*queuetest.MaxQueued, mailbox.Block),
		"Bounded DropOldest":   bounded(queuetest.MaxQueued, mailbox.DropOldest),
		"Bounded, no capacity": bounded(-1, mailbox.Reject),
	} {
		t.Run(name, func(t *testing.T) { queuetest.Run(t, newQueue) })
	}
}
