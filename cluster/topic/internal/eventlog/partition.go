package eventlog

import (
	"context"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// Partition is open: its owner appends to it, and delivers from it. All methods, and
// those of its logs and consumers, may be called concurrently.
type Partition struct {
	// Events is the log of the partition, and DeadLetters has what its groups have given
	// up. DeadLetters is read like any other, and its groups give up nothing.
	Events, DeadLetters *Log

	store  persistence.Store
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	done   chan struct{} // closed when err is set
	closed chan struct{} // closed when Close is through

	mu       sync.Mutex
	err      error // why nothing can be done any more
	closing  bool
	settled  chan struct{} // of Drain: nothing more is delivered; nil before
	head     head          // as it is in the store, at revision
	revision persistence.Revision
	known    memory
	tag      uint64 // of the latest delivery

	// What waits for the next transaction.
	calls      []*call
	queued     int // bytes of calls
	operations []*operation
	dying      []*entry
	flushAt    time.Time // when progress is written at the latest; zero if there is none
	committing bool      // commitLoop runs
	pace       pace

	timer *time.Timer
	due   time.Time // when timer fires; zero if it does not
}

// Open makes the caller the only one who writes to a partition, which need not exist.
// The error is [ErrFenced] if it has been opened with a later epoch, and [ErrCorrupt] if
// it cannot be read; else it is InvalidArgument or that of the store. Whoever opens it
// must close it.
func Open(ctx context.Context, config Config) (*Partition, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	p := &Partition{
		store:  persistence.Namespace(config.Store, config.Name),
		config: config,
		done:   make(chan struct{}),
		closed: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.Events = newLog(p, eventLog, "events", config.Events)
	p.DeadLetters = newLog(p, deadLog, "dead", config.DeadLetters)
	if err := p.open(ctx); err != nil {
		p.cancel()
		return nil, err
	}
	return p, nil
}

// Done returns a channel that is closed when the partition can do nothing any more;
// Err then says why.
func (p *Partition) Done() <-chan struct{} { return p.done }

// Err returns why the partition can do nothing any more: [ErrFenced], [ErrClosed], or
// nil while it can.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close writes how far the groups are, unless that takes longer than ctx, and ends the
// partition. It returns after its goroutines have ended, or when ctx has and the store does
// not return, and so must not be called by what a consumer delivers to. It is idempotent.
// The error says that progress was not written: some events will be delivered again.
func (p *Partition) Close(ctx context.Context) error {
	p.mu.Lock()
	again := p.closing
	p.closing = true
	p.mu.Unlock()
	if again {
		return p.awaitClosed(ctx)
	}
	err := p.operate(ctx, &operation{last: true})
	p.fail(ErrClosed)
	p.cancel()
	go func() {
		p.work.Wait()
		close(p.closed)
	}()
	if late := p.awaitClosed(ctx); late != nil {
		return late
	}
	if p.Err() != ErrClosed {
		return nil // another owner goes on from what has been written
	}
	return err
}

// closeGrace is what Close gives a store to return from what has just been cancelled.
const closeGrace = 100 * time.Millisecond

// awaitClosed returns when the goroutines have ended, or an error if ctx and the grace have.
func (p *Partition) awaitClosed(ctx context.Context) error {
	select {
	case <-p.closed:
		return nil
	case <-ctx.Done():
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-p.closed:
		return nil
	case <-grace.C:
		return actor.Errorf(actor.CodeOf(ctx.Err()), "eventlog: the store has not returned from what it does for partition %q: %w", p.config.Name, context.Cause(ctx))
	}
}

// fail ends the partition.
func (p *Partition) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.err = err
	close(p.done)
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, c := range p.calls {
		c.finish(ended(err))
	}
	for _, o := range p.operations {
		o.finish(ended(err))
	}
	p.calls, p.operations, p.dying, p.known = nil, nil, nil, memory{}
	for _, l := range p.logs() {
		l.tail = nil
		for _, g := range l.groups {
			g.forget()
		}
	}
}

func (p *Partition) logs() [2]*Log { return [2]*Log{p.Events, p.DeadLetters} }

// start runs f, which Close waits for. It is called with the lock.
func (p *Partition) start(f func()) {
	if p.err == nil {
		p.work.Go(f)
	}
}

// at has tick called at that time or before. It is called with the lock.
func (p *Partition) at(t time.Time) {
	if p.err != nil || !p.due.IsZero() && !t.Before(p.due) {
		return
	}
	p.due = t
	if p.timer == nil {
		p.timer = time.AfterFunc(time.Until(t), p.tick)
		return
	}
	p.timer.Reset(time.Until(t))
}

// tick does what is due.
func (p *Partition) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = time.Time{}
	if p.err != nil {
		return
	}
	now := time.Now()
	for _, l := range p.logs() {
		l.checkAge(now)
		for _, g := range l.groups {
			g.tick(now)
		}
	}
	switch {
	case p.flushAt.IsZero():
	case now.Before(p.flushAt):
		p.at(p.flushAt)
	default:
		p.kick()
	}
}
