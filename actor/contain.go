package actor

import (
	"context"
	"fmt"
	"runtime"

	"github.com/troupe-go/troupe/actor/contain"
	"github.com/troupe-go/troupe/mailbox"
)

// contain is contain.Call for what has no answer.
func (c *cell) contain(what string, f func()) {
	if err := contain.Call(what, func() error { f(); return nil }); err != nil {
		c.system.log.Error("code of an actor failed, and nothing else with it", "actor", c.path, "error", err)
	}
}

// guardedQueue is a queue of the user's. It is pushed to by whoever sends, and by timers
// and pipes.
type guardedQueue struct{ mailbox.Queue[Envelope] }

func (q guardedQueue) TryPush(e Envelope) error {
	return contain.Panic("TryPush of the mailbox", func() error { return q.Queue.TryPush(e) })
}

func (q guardedQueue) Push(ctx context.Context, e Envelope) error {
	return contain.Panic("Push of the mailbox", func() error { return q.Queue.Push(ctx, e) })
}

// describe returns the text of a recovered value, whose methods may fail as well.
func describe(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case runtime.Error:
		return v.Error()
	}
	text := fmt.Sprintf("a %T that cannot be printed", value)
	_ = contain.Call("its text", func() error { text = fmt.Sprint(value); return nil })
	return text
}
