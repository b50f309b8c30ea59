package engine

import (
	"sync"
	"time"

	pactor "github.com/asynkron/protoactor-go/actor"
)

// lifecycle is the actor that protoactor sees: it gets lifecycle messages only.
func (p *Process[M]) lifecycle(ctx pactor.Context) {
	switch message := ctx.Message().(type) {
	case *pactor.Started:
		p.context = ctx
		p.behavior.Started()
	case *pactor.Restarting:
		p.behavior.Restarting()
	case *pactor.Stopping:
		p.stopping = true
		p.cancelRestart()
		rest := append(p.front, p.queue.Close()...)
		p.front = nil
		p.behavior.Stopping(rest)
	case *pactor.Stopped:
		p.behavior.Stopped()
	case *pactor.Terminated:
		p.behavior.ChildEnded(message.Who.Id)
	}
}

func (p *Process[M]) restartAfter(d time.Duration, restart func()) {
	p.lane.Lock()
	defer p.lane.Unlock()
	p.lane.restart = time.AfterFunc(d, restart)
}

func (p *Process[M]) cancelRestart() {
	p.lane.Lock()
	defer p.lane.Unlock()
	if p.lane.restart != nil {
		p.lane.restart.Stop()
	}
}

// failure is the reason that travels through protoactor's supervision.
type failure struct {
	process supervised
	value   any
}

// supervised is a Process of any message type.
type supervised interface {
	supervise(value any) Decision
	restartAfter(d time.Duration, restart func())
	above() supervised
}

func (p *Process[M]) supervise(value any) Decision { return p.behavior.Supervise(value) }

func (p *Process[M]) above() supervised {
	if p.parent == nil {
		return nil
	}
	return p.parent
}

// strategy asks the failed process itself what shall become of it: supervision
// belongs to an actor's definition.
type strategy struct{ _ byte } // not empty: protoactor keys guardians by its address

func (*strategy) HandleFailure(_ *pactor.ActorSystem, supervisor pactor.Supervisor, child *pactor.PID, _ *pactor.RestartStatistics, reason, _ any) {
	f, ok := reason.(*failure)
	if !ok {
		supervisor.StopChildren(child)
		return
	}
	decision := f.process.supervise(f.value)
	switch decision.Directive {
	case Restart:
		if decision.After <= 0 {
			supervisor.RestartChildren(child)
			return
		}
		f.process.restartAfter(decision.After, func() { supervisor.RestartChildren(child) })
	case Resume:
		supervisor.ResumeChildren(child)
	case Escalate:
		// A guardian that is told to escalate panics the process.
		if parent := f.process.above(); parent != nil {
			supervisor.StopChildren(child)
			supervisor.EscalateFailure(&failure{process: parent, value: f.value}, nil)
			return
		}
		supervisor.StopChildren(child)
	default:
		supervisor.StopChildren(child)
	}
}

// WatchFunc calls ended once when p has ended, on an unspecified goroutine that
// it must not block; at once if p has ended already. cancel takes it back.
func (p *Process[M]) WatchFunc(ended func()) (cancel func()) {
	w := &watcher{engine: p.engine, ended: ended}
	id := "watch" + p.engine.system.ProcessRegistry.NextId()
	w.pid, _ = p.engine.system.ProcessRegistry.Add(w, id)
	p.PostSystemMessage(&pactor.Watch{Watcher: w.pid})
	return func() {
		w.once.Do(w.remove)
		p.PostSystemMessage(&pactor.Unwatch{Watcher: w.pid})
	}
}

// watcher is a protoactor process that turns Terminated into a function call.
type watcher struct {
	engine *Engine
	pid    *pactor.PID
	ended  func()
	once   sync.Once
}

func (w *watcher) remove() { w.engine.system.ProcessRegistry.Remove(w.pid) }

func (w *watcher) SendSystemMessage(_ *pactor.PID, message any) {
	if _, ok := message.(*pactor.Terminated); ok {
		w.once.Do(func() {
			w.remove()
			w.ended()
		})
	}
}

func (w *watcher) SendUserMessage(*pactor.PID, any) {}
func (w *watcher) Stop(*pactor.PID)                 {}
