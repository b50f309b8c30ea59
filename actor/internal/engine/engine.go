package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	pactor "github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/mailbox"
)

// Engine is one actor system: a registry, a scheduler and a root of supervision.
// Engines of one process share nothing.
type Engine struct {
	system    *pactor.ActorSystem
	scheduler *mailbox.Scheduler
	strategy  *strategy
	shutdown  sync.Once
}

// New returns a running engine. Its methods may be called concurrently.
func New() *Engine {
	config := pactor.NewConfig()
	// The engine's own log would repeat what the actor package says in its own words.
	config.LoggerFactory = func(*pactor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	// A throttle starts goroutines that outlive the system.
	config.DeadLetterThrottleCount = 0
	return &Engine{
		system:    pactor.NewActorSystemWithConfig(config),
		scheduler: mailbox.NewScheduler(),
		strategy:  &strategy{},
	}
}

// Close ends the runners. Every process must have stopped before; it waits for
// the turns that still run, until ctx ends. It is idempotent.
func (e *Engine) Close(ctx context.Context) error {
	err := e.scheduler.Stop(ctx)
	e.shutdown.Do(e.system.Shutdown)
	return err
}

// Config describes a process to spawn.
type Config[M any] struct {
	Name     string           // unique among its siblings
	Queue    mailbox.Queue[M] // owned by the process from now on
	Behavior Behavior[M]
}

// NewProcess returns a process at the top of the tree. What is posted to it waits
// until Launch.
func NewProcess[M any](e *Engine, config Config[M]) *Process[M] {
	return &Process[M]{engine: e, name: config.Name, behavior: config.Behavior, queue: config.Queue}
}

// NewChild returns a process below p, which stops when p stops.
func (p *Process[M]) NewChild(config Config[M]) *Process[M] {
	child := NewProcess(p.engine, config)
	child.parent = p
	return child
}

// Launch starts the process, once. It returns at once; the behaviour's Started
// runs on the scheduler. A child must be launched from its parent's behaviour.
func (p *Process[M]) Launch() error {
	var err error
	if p.parent == nil {
		_, err = p.engine.system.Root.SpawnNamed(p.props(pactor.WithGuardian(p.engine.strategy)), p.name)
	} else {
		_, err = p.parent.context.SpawnNamed(p.props(), p.name)
	}
	if err != nil {
		return fmt.Errorf("spawn %q: %w", p.name, err)
	}
	return nil
}

func (p *Process[M]) props(extra ...pactor.PropsOption) *pactor.Props {
	options := append([]pactor.PropsOption{
		pactor.WithMailbox(func() pactor.Mailbox { return p }),
		pactor.WithSupervisor(p.engine.strategy),
	}, extra...)
	return pactor.PropsFromFunc(p.lifecycle, options...)
}
