package actor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor/internal/engine"
)

// System holds the actors of one node. Systems of one process share nothing.
// All methods may be called concurrently.
type System struct {
	node     string
	log      *slog.Logger
	codecs   *Codecs
	names    names
	binders  binders
	dead     deadLetters
	resolver func(path string) (Recipient, error)
	engine   *engine.Engine
	waiters  *sync.Pool
	answered *mergedContext
	stashed  *mergedContext
	base     context.Context
	cancel   context.CancelCauseFunc
	uid      atomic.Uint64
	work     sync.WaitGroup // goroutines of Pipe, and of messages that are held
	pipes    pipes          // what they do
	ending   atomic.Bool    // Stop was called: actors note when they begin with a message

	mu      sync.RWMutex
	cells   map[string]*cell // by path
	emptied chan struct{}    // closed when the last actor of a stopping system is gone
	closing bool
	since   time.Time // when Stop was called
}

// SystemOption changes a new System.
type SystemOption interface{ applySystem(*systemConfig) }

type systemConfig struct {
	node     string
	log      *slog.Logger
	codec    Codec
	dead     func(DeadLetter)
	resolver func(path string) (Recipient, error)
}

type systemOption func(*systemConfig)

func (f systemOption) applySystem(c *systemConfig) { f(c) }

// WithLogger sets where the system logs. The default is slog.Default().
func WithLogger(log *slog.Logger) SystemOption {
	return systemOption(func(c *systemConfig) { c.log = log })
}

// WithNode sets the name of the node in the paths of actors. The default is none:
// such a system has no neighbours.
func WithNode(name string) SystemOption {
	return systemOption(func(c *systemConfig) { c.node = name })
}

// WithCodec sets how messages that are not protobuf messages are encoded for
// other nodes. The default is [MsgPack]; [JSON] applies to protobuf messages too.
func WithCodec(codec Codec) SystemOption {
	return systemOption(func(c *systemConfig) { c.codec = codec })
}

// WithResolver lets resolve turn the path of a Ref that is not of this node into
// its Recipient.
func WithResolver(resolve func(path string) (Recipient, error)) SystemOption {
	return systemOption(func(c *systemConfig) { c.resolver = resolve })
}

// NewSystem returns a running system. Whoever makes one must stop it.
func NewSystem(options ...SystemOption) *System {
	config := systemConfig{log: slog.Default()}
	for _, o := range options {
		o.applySystem(&config)
	}
	s := &System{
		node:     config.node,
		log:      config.log,
		codecs:   NewCodecs(config.codec),
		resolver: config.resolver,
		engine:   engine.New(),
		waiters:  newWaiterPool(),
		answered: newEnded(true),
		stashed:  newEnded(false),
		cells:    make(map[string]*cell),
		emptied:  make(chan struct{}),
	}
	s.dead.handle = config.dead
	s.base, s.cancel = context.WithCancelCause(context.Background())
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails: see crypto/rand
	// 40 random bits tell the actors of one run from those of another; there is
	// room for 2^24 more before two runs may meet.
	s.uid.Store(binary.LittleEndian.Uint64(seed[:]) &^ (1<<24 - 1))
	return s
}

func (s *System) nextUID() uint64 { return s.uid.Add(1) }

// Node returns the name given to WithNode.
func (s *System) Node() string { return s.node }

// Codecs returns the choice of codecs that [WithCodec] has made.
func (s *System) Codecs() *Codecs { return s.codecs }

// StopActor ends an actor of this system after the message it is handling, and
// waits until it and its children have ended or ctx has. What waits in its mailbox
// fails with Unavailable. It is NotFound if ref is not an actor of this system.
// It must not be called by the actor itself; see [Context.Stop].
func (s *System) StopActor(ctx context.Context, ref Addressable) error {
	return s.end(ctx, ref, (*cell).stop)
}

// DrainActor is StopActor, but the actor first handles what is in its mailbox.
func (s *System) DrainActor(ctx context.Context, ref Addressable) error {
	return s.end(ctx, ref, func(c *cell) { c.process.Drain() })
}

func (s *System) end(ctx context.Context, ref Addressable, end func(*cell)) error {
	c, ok := ref.Address().recipient.(*cell)
	if !ok || c.system != s {
		return Errorf(NotFound, "%s is not an actor of this system", ref.Address())
	}
	ended := make(chan struct{})
	cancel := c.process.WatchFunc(func(bool) { close(ended) })
	end(c)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		cancel()
		return Errorf(CodeOf(ctx.Err()), "%s has not ended yet: %w", c, context.Cause(ctx))
	}
}

// Stats are counters of a system.
type Stats struct {
	Actors      int    // running now
	DeadLetters uint64 // so far
}

// Stats returns the counters of now.
func (s *System) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{Actors: len(s.cells), DeadLetters: s.dead.count.Load()}
}

// Lookup returns the running actor with that path, such as "greeter/session-7". A
// uid of 0 means whichever incarnation is there.
func (s *System) Lookup(path string, uid uint64) (Address, error) {
	s.mu.RLock()
	c := s.cells[path]
	s.mu.RUnlock()
	if c == nil || uid != 0 && c.uid != uid {
		return Address{}, gone{s.node, path, uid}.err()
	}
	return Address{c}, nil
}

func (s *System) forget(c *cell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cells, c.path)
	if s.closing && len(s.cells) == 0 {
		close(s.emptied)
	}
}
