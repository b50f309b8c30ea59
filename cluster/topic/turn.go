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
		if s.isOver() {
			return
		}
		event, ok := s.queue.Pop()
		if !ok {
			s.recovered()
			return
		}
		s.waiting.Add(-1)
		if s.consumer == nil || s.consumer.wants(s.ctx, event.(*arrival)) {
			s.call(event)
		}
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
	if s.isOver() || s.stopping.Load() && s.queue.Len() == 0 {
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
	if s.consumer != nil {
		s.consumer.finish()
		return
	}
	if len(left) > 0 {
		s.dropped.Add(uint64(len(left)))
		s.bury(s.kind.name, refusal(actor.Unavailable, "the subscription was cut short, and %d events are lost", len(left)))
	}
	s.recovered()
	s.cancel()
	close(s.done)
}

// isOver reports whether nothing more is handled: the events of a durable topic that wait
// when the subscription stops are for others.
func (s *Subscription) isOver() bool {
	return s.aborted.Load() || s.consumer != nil && s.stopping.Load()
}

// call lets the handler have an event, and contains its failure.
func (s *Subscription) call(event any) {
	var err error
	returned := false
	defer func() {
		if !returned {
			value := recover()
			if value == nil {
				value = "it called runtime.Goexit"
			}
			err = actor.Errorf(actor.Internal, "the handler panicked: %v", value)
			s.extension.node.Logger().Error("the handler of a subscription panicked", "subscription", s, "panic", value, "stack", string(debug.Stack()))
		} else if err != nil {
			s.report(err)
		}
		s.count(err)
		if s.consumer != nil {
			s.consumer.settle(s.ctx, event.(*arrival), err)
		}
	}()
	if s.consumer != nil {
		err = s.consumer.handle(event.(*arrival), s.handle)
	} else {
		err = s.handle(s.ctx, event)
	}
	returned = true
}

// report says why an event was not handled well.
func (s *Subscription) report(err error) {
	if isUndecodable(err) && s.consumer == nil {
		s.bury(s.kind.name, err)
		return
	}
	s.extension.node.Logger().Warn("the handler of a subscription failed", "subscription", s, "error", err)
}

// count accounts for an event that has had its turn.
func (s *Subscription) count(err error) {
	if isUndecodable(err) {
		s.undecodable.Add(1)
		return
	}
	s.handled.Add(1)
	if err != nil {
		s.failed.Add(1)
	}
}
