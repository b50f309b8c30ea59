package topic

import (
	"runtime/debug"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/mailbox"
)

// turnLength is how many events a subscription may handle before others get their turn.
const turnLength = 128

// The states of a subscription.
const (
	stateIdle int32 = iota
	stateScheduled
	stateEnded
)

// turn is a subscription as its scheduler sees it.
type turn Subscription

var _ mailbox.Task = (*turn)(nil)

// Run handles some of the events that wait.
func (t *turn) Run() {
	s := (*Subscription)(t)
	defer s.endTurn() // also when the handler ends its goroutine
	for range turnLength {
		if s.aborted.Load() {
			return
		}
		event, ok := s.queue.Pop()
		if !ok {
			s.recovered()
			return
		}
		s.waiting.Add(-1)
		s.call(event)
	}
}

// schedule gives the subscription a turn, unless it has one.
func (s *Subscription) schedule() {
	if s.state.Load() == stateIdle && s.state.CompareAndSwap(stateIdle, stateScheduled) {
		if !s.extension.scheduler.Schedule((*turn)(s)) {
			s.end() // the node has left
		}
	}
}

func (s *Subscription) endTurn() {
	if s.aborted.Load() || s.stopping.Load() && s.queue.Len() == 0 {
		s.end()
		return
	}
	// Another runner may own the turn as soon as the state is idle.
	s.state.Store(stateIdle)
	if s.queue.Len() > 0 || s.stopping.Load() {
		s.schedule()
	}
}

// end is called in the last turn.
func (s *Subscription) end() {
	s.state.Store(stateEnded)
	left := s.queue.Close()
	s.waiting.Add(-int64(len(left)))
	if len(left) > 0 {
		s.dropped.Add(uint64(len(left)))
		s.bury(s.kind.name, refusal(actor.Unavailable, "the subscription was cut short, and %d events are lost", len(left)))
	}
	s.recovered()
	s.cancel()
	close(s.done)
}

// call lets the handler have an event, and contains its failure.
func (s *Subscription) call(event any) {
	returned := false
	defer func() {
		s.handled.Add(1)
		if returned {
			return
		}
		value := recover()
		if value == nil {
			value = "it called runtime.Goexit"
		}
		s.failed.Add(1)
		s.extension.node.Logger().Error("the handler of a subscription panicked", "subscription", s, "panic", value, "stack", string(debug.Stack()))
	}()
	err := s.handle(s.ctx, event)
	returned = true
	if err != nil {
		s.failed.Add(1)
		s.extension.node.Logger().Warn("the handler of a subscription failed", "subscription", s, "error", err)
	}
}
