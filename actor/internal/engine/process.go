package engine

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	pactor "github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/mailbox"
)

// turnLength is how many messages a process may handle before others get their turn.
const turnLength = 128

// The scheduling states of a process. Messages wait while it is new, so that one
// that is reached by name before its start is complete loses nothing.
const (
	stateNew int32 = iota
	stateIdle
	stateScheduled
)

// Process is one running actor: its queue, its place in protoactor's tree and
// its turn on the scheduler. Post, TryPost, Stop, Drain, Interrupt, Runs and WatchFunc
// may be called concurrently.
type Process[M any] struct {
	engine   *Engine
	name     string
	parent   *Process[M]
	born     uint64 // the parent's incarnation
	behavior Behavior[M]
	queue    mailbox.Queue[M]
	watchers watchers

	state atomic.Int32

	// The system lane overtakes messages: lifecycle must work when the queue is
	// full or suspended.
	laneLen atomic.Int32
	lane    struct {
		sync.Mutex
		messages []any
	}

	// Owned by the running turn.
	invoker     pactor.MessageInvoker
	context     pactor.Context
	incarnation uint64
	suspended   bool // it has failed, and does not run
	stopping    bool
	draining    bool
	restart     *time.Timer // latest back-off
	held        []any       // interrupts that came while suspended
	front       []M         // handled before the queue
}

// TryPost queues m without waiting. It returns the queue's error.
func (p *Process[M]) TryPost(m M) error {
	if err := p.queue.TryPush(m); err != nil {
		return err
	}
	p.schedule()
	return nil
}

// Post queues m; a queue that blocks when full makes it wait until ctx ends.
func (p *Process[M]) Post(ctx context.Context, m M) error {
	if err := p.queue.Push(ctx, m); err != nil {
		return err
	}
	p.schedule()
	return nil
}

// Stop ends the process after the message it is handling.
func (p *Process[M]) Stop() { p.PostSystemMessage(&pactor.Stop{}) }

// Drain refuses new messages and ends the process after those it has.
func (p *Process[M]) Drain() { p.PostSystemMessage(drainRequest{}) }

type drainRequest struct{}

// Runs reports whether the process has the turn, or is about to.
func (p *Process[M]) Runs() bool { return p.state.Load() == stateScheduled }

// Interrupt runs f in p's turn, before the messages that wait. A panic in f is a
// failure of p. A process that is stopping does not run it.
func (p *Process[M]) Interrupt(f func()) { p.PostSystemMessage(interrupt(f)) }

type interrupt func()

// Run is one turn on the scheduler.
func (p *Process[M]) Run() {
	defer p.endTurn()
	for budget := turnLength; budget > 0; {
		budget = p.turn(budget)
	}
}

func (p *Process[M]) endTurn() {
	// Another runner may own the turn as soon as the state is idle.
	suspended := p.suspended
	more := len(p.front) > 0 || p.draining && !p.stopping
	p.state.Store(stateIdle)
	if p.laneLen.Load() > 0 || !suspended && (more || p.queue.Len() > 0) {
		p.schedule()
	}
}

func (p *Process[M]) schedule() {
	if p.state.Load() == stateIdle && p.state.CompareAndSwap(stateIdle, stateScheduled) {
		p.engine.scheduler.Schedule(p)
	}
}

// turn handles messages until none is left or budget is used up, and returns
// what is left of it: 0 to end the turn. A panic ends it early with the failure
// handed to the supervisor.
func (p *Process[M]) turn(budget int) (left int) {
	left = budget
	returned := false
	defer func() {
		if returned {
			return
		}
		p.fail(recover(), debug.Stack())
	}()
	for left > 0 {
		left--
		if p.laneLen.Load() > 0 {
			p.handleSystem(p.popSystem())
			continue
		}
		if p.suspended {
			left = 0
			break
		}
		m, ok := p.next()
		if !ok {
			left = 0
			break
		}
		p.behavior.Receive(m)
	}
	returned = true
	return left
}

func (p *Process[M]) next() (m M, ok bool) {
	if len(p.front) > 0 {
		var zero M
		m, p.front[0], p.front = p.front[0], zero, p.front[1:]
		return m, true
	}
	if p.draining {
		if !p.stopping {
			p.handleSystem(&pactor.Stop{})
		}
		return m, false
	}
	return p.queue.Pop()
}

// Unget puts messages back before those that wait. It must be called from p's
// own behaviour; p owns the slice from now on.
func (p *Process[M]) Unget(messages []M) {
	p.front = append(messages, p.front...)
}

func (p *Process[M]) handleSystem(message any) {
	switch message := message.(type) {
	case nil:
	case interrupt:
		switch {
		case p.stopping:
		case p.suspended:
			p.held = append(p.held, message)
		default:
			message()
		}
	case drainRequest:
		p.drain()
	case *pactor.ResumeMailbox: // said before Started has returned; see lifecycle
	case *pactor.Restart:
		// protoactor would bring a stopping actor back to life.
		if !p.stopping {
			p.invoker.InvokeSystemMessage(message)
		}
	default:
		p.invoker.InvokeSystemMessage(message)
	}
}

func (p *Process[M]) popSystem() any {
	p.lane.Lock()
	defer p.lane.Unlock()
	if len(p.lane.messages) == 0 {
		return nil
	}
	message := p.lane.messages[0]
	p.lane.messages[0] = nil
	p.lane.messages = p.lane.messages[1:]
	p.laneLen.Add(-1)
	return message
}

// PostSystemMessage is part of protoactor's Mailbox.
func (p *Process[M]) PostSystemMessage(message any) {
	p.lane.Lock()
	p.lane.messages = append(p.lane.messages, message)
	p.laneLen.Add(1)
	p.lane.Unlock()
	p.schedule()
}

// PostUserMessage is part of protoactor's Mailbox. Nothing sends one: our
// messages do not pass protoactor, and what it sends itself is a system message.
func (p *Process[M]) PostUserMessage(any) {}

// UserMessageCount is part of protoactor's Mailbox.
func (p *Process[M]) UserMessageCount() int { return p.queue.Len() }

// RegisterHandlers is part of protoactor's Mailbox.
func (p *Process[M]) RegisterHandlers(invoker pactor.MessageInvoker, _ pactor.Dispatcher) {
	p.invoker = invoker
}

// Start is part of protoactor's Mailbox; protoactor has queued Started before.
func (p *Process[M]) Start() {
	p.state.Store(stateIdle)
	p.schedule()
}
