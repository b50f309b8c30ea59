package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	pactor "github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"

	"github.com/troupe-go/troupe/mailbox"
)

// Engine is one actor system: a registry and a scheduler. Engines of one process
// share nothing.
type Engine struct {
	system    *pactor.ActorSystem
	scheduler *mailbox.Scheduler
	shutdown  sync.Once
}

const registryBuckets = 8

// New returns a running engine. Its methods may be called concurrently.
func New() *Engine {
	config := pactor.NewConfig()
	// The engine's own log would repeat what the actor package says in its own words.
	config.LoggerFactory = func(*pactor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	system := pactor.NewActorSystemWithConfig(config)
	// Its subscribers to dead letters start goroutines that outlive the system,
	// and we have no use for them.
	system.EventStream = eventstream.NewEventStream()
	// 1,024 buckets of 32 maps each take 2.8 MB.
	registry := system.ProcessRegistry.LocalPIDs
	registry.LocalPIDs = slices.Clone(registry.LocalPIDs[:registryBuckets])
	return &Engine{system: system, scheduler: mailbox.NewScheduler()}
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

// NewChild returns a process below p, which stops when p stops or restarts. It
// must be called from p's behaviour.
func (p *Process[M]) NewChild(config Config[M]) *Process[M] {
	child := NewProcess(p.engine, config)
	child.parent, child.born = p, p.incarnation
	return child
}

// Launch starts the process, once. It returns at once; the behaviour's Started
// runs on the scheduler. A child must be launched from its parent's behaviour.
func (p *Process[M]) Launch() error {
	props := pactor.PropsFromFunc(p.lifecycle, pactor.WithMailbox(func() pactor.Mailbox { return p }))
	var err error
	if p.parent == nil {
		_, err = p.engine.system.Root.SpawnNamed(props, p.name)
	} else {
		_, err = p.parent.context.SpawnNamed(props, p.name)
	}
	if err != nil {
		return fmt.Errorf("spawn %q: %w", p.name, err)
	}
	return nil
}
