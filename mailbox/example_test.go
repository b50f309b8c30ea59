package mailbox_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/troupe-go/troupe/mailbox"
)

// printer is a minimal actor: it handles one message at a time, without a
// goroutine of its own.
type printer struct {
	messages  mailbox.Queue[string]
	scheduler *mailbox.Scheduler
	scheduled atomic.Bool
}

func (p *printer) tell(message string) error {
	if err := p.messages.TryPush(message); err != nil {
		return err
	}
	p.wake()
	return nil
}

// wake schedules a turn, unless there is one to come.
func (p *printer) wake() {
	if p.scheduled.CompareAndSwap(false, true) {
		p.scheduler.Schedule(p)
	}
}

// Run handles some messages and leaves the others for another turn.
func (p *printer) Run() {
	for range 100 {
		message, ok := p.messages.Pop()
		if !ok {
			break
		}
		fmt.Println(message)
	}
	p.scheduled.Store(false)
	if p.messages.Len() > 0 {
		p.wake()
	}
}

func Example() {
	scheduler := mailbox.NewScheduler()
	p := &printer{messages: mailbox.NewBounded[string](1000, mailbox.Reject, nil), scheduler: scheduler}
	for _, message := range []string{"one", "two", "three"} {
		if err := p.tell(message); err != nil {
			fmt.Println(err)
		}
	}
	if err := scheduler.Stop(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// one
	// two
	// three
}
