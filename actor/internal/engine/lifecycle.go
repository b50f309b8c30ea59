package engine

import (
	"time"

	pactor "github.com/asynkron/protoactor-go/actor"
)

// lifecycle is the actor that protoactor sees: it gets lifecycle messages only.
func (p *Process[M]) lifecycle(ctx pactor.Context) {
	switch message := ctx.Message().(type) {
	case *pactor.Started:
		p.context = ctx
		p.incarnation++
		p.resume()
		p.behavior.Started()
	case *pactor.Restarting:
		p.behavior.Restarting()
	case *pactor.Stopping:
		p.stopping = true
		p.cancelRestart()
		rest := append(p.front, p.queue.Close()...)
		p.front, p.held = nil, nil
		p.behavior.Stopping(rest)
	case *pactor.Stopped:
		p.behavior.Stopped()
		p.watchers.end()
	case *pactor.Terminated:
		p.behavior.ChildEnded(message.Who.Id)
	}
}

// fail ends the turn of a process that has failed, and does what its behaviour
// decides. Messages and interrupts wait until it runs again.
func (p *Process[M]) fail(value any, stack []byte) {
	if value == nil {
		value = ErrGoexit
	}
	p.suspended = true
	p.behavior.Failed(value, stack)
	if p.stopping {
		return
	}
	switch decision := p.behavior.Supervise(value); decision.Directive {
	case Restart:
		p.restartAfter(decision.After)
	case Resume:
		p.resume()
	case Escalate:
		p.escalate(value)
		p.Stop()
	default:
		p.Stop()
	}
}

func (p *Process[M]) resume() {
	p.suspended = false
	if len(p.held) == 0 {
		return
	}
	p.lane.Lock()
	defer p.lane.Unlock()
	p.lane.messages = append(p.held, p.lane.messages...)
	p.laneLen.Add(int32(len(p.held)))
	p.held = nil
}

// escalate lets the incarnation of the parent fail to which p belongs.
func (p *Process[M]) escalate(value any) {
	if p.parent == nil {
		return
	}
	p.parent.Interrupt(func() {
		if p.parent.incarnation == p.born {
			panic(value)
		}
	})
}

// restartAfter restarts the process once d has passed. One that is draining does
// not wait: it may fail for ever, and its owner waits for its end.
func (p *Process[M]) restartAfter(d time.Duration) {
	switch {
	case d <= 0:
		p.PostSystemMessage(&pactor.Restart{})
	case p.draining:
		p.Stop()
	default:
		p.restart = time.AfterFunc(d, func() { p.PostSystemMessage(&pactor.Restart{}) })
	}
}

// cancelRestart reports whether a restart was still to come.
func (p *Process[M]) cancelRestart() bool {
	return p.restart != nil && p.restart.Stop()
}

// drain makes the messages that wait the last ones.
func (p *Process[M]) drain() {
	if p.draining || p.stopping {
		return
	}
	p.draining = true
	p.front = append(p.front, p.queue.Close()...)
	if p.cancelRestart() {
		p.Stop()
	}
}
