package actor

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor/internal/engine"
	"github.com/troupe-go/troupe/mailbox"
)

// cell is one actor: it stands behind its Ref, and the engine runs it. All its
// incarnations have the same cell.
type cell struct {
	system  *System
	process *engine.Process[Envelope]
	parent  *cell
	def     *definition
	path    string
	uid     uint64
	id      string // in the engine

	// Owned by the turn.
	instance any
	table    *table
	last     struct { // the entry of the latest message: most come in rows
		message reflect.Type
		entry   *entry
	}
	current  Envelope
	stashed  bool // current is in the stash
	stash    []Envelope
	children map[string]*cell // by id
	watching map[Address]*watch
	timers   map[*Timer]struct{}
	plain    Context // of casts without a context
	failures failures
	ending   error // why the actor ends; read by watchers after its end

	mu     sync.Mutex
	ctx    context.Context // lifetime; made when somebody looks
	cancel context.CancelCauseFunc
	halted atomic.Bool           // told to stop
	become atomic.Pointer[table] // the table, for Deliver; nil for the definition's
}

func newCell(s *System, parent *cell, d *definition, path, name string) *cell {
	c := &cell{system: s, parent: parent, def: d, path: path, uid: s.nextUID(), table: d.table}
	c.plain.cell = c
	c.id = FormatPath(name, c.uid)
	config := engine.Config[Envelope]{Name: c.id, Queue: d.queue(c.dropped), Behavior: c}
	if parent == nil {
		c.process = engine.NewProcess(s.engine, config)
	} else {
		c.process = parent.process.NewChild(config)
		c.id = parent.id + "/" + c.id
	}
	return c
}

// dropped is called by a queue for a message that it gave up.
func (c *cell) dropped(e Envelope) {
	c.system.undelivered(e, c, notRun(ResourceExhausted, "the full mailbox of %s dropped its oldest message", c))
}

func (c *cell) addChild(child *cell) {
	if c.children == nil {
		c.children = make(map[string]*cell)
	}
	c.children[child.id] = child
}

// String returns the actor's path as a Ref prints it.
func (c *cell) String() string {
	return "actor://" + c.system.node + "/" + FormatPath(c.path, c.uid)
}

func (c *cell) speaks(protocol reflect.Type) bool { return c.def.protocol == protocol }

func protocolOf[P any]() reflect.Type { return reflect.TypeFor[P]() }

// Tell implements Recipient.
func (c *cell) Tell(e Envelope) error {
	var err error
	if e.context == nil {
		err = c.process.TryPost(e)
	} else {
		err = c.process.Post(e.context, e)
	}
	if err != nil {
		return c.refused(err)
	}
	return nil
}

// Ask implements Recipient.
func (c *cell) Ask(e Envelope) error {
	k := e.message.(request)
	ctx := k.askContext()
	if from := handlerOf(ctx); from != nil && from.cell == c {
		return notRun(FailedPrecondition, "%s asks itself, and would wait for ever", c)
	}
	w := c.system.waiters.Get().(*waiter)
	k.begin(w)
	if err := c.process.Post(ctx, e); err != nil {
		c.system.waiters.Put(w)
		return c.refused(err)
	}
	return k.wait(c.system.waiters)
}

// refused explains why the mailbox did not take a message.
func (c *cell) refused(err error) *Error {
	switch {
	case errorIs(err, mailbox.ErrClosed):
		return notRun(NotFound, "%s has stopped", c)
	case errorIs(err, mailbox.ErrFull):
		return notRun(ResourceExhausted, "the mailbox of %s is full; slow down, or raise its capacity", c)
	}
	e := AsError(err)
	return &Error{Code: e.Code, Message: "the mailbox of " + c.String() + " is full: " + e.Message, NotRun: true, cause: err}
}

// Watch implements Recipient.
func (c *cell) Watch(ended func(reason error)) (func(), error) {
	return c.process.WatchFunc(func() { ended(c.ending) }), nil
}

// handlerNamed returns the handler for a message from another node, nil if there
// is none. An actor that becomes something else meanwhile may still refuse it.
func (c *cell) handlerNamed(name string) *entry {
	if entry := c.def.table.byName[name]; entry != nil {
		return entry
	}
	if t := c.become.Load(); t != nil {
		return t.byName[name]
	}
	return nil
}

// Started implements engine.Behavior.
func (c *cell) Started() {
	c.instance = c.def.create()
	if s, ok := c.instance.(Starter); ok {
		if err := s.Started(&c.plain); err != nil {
			panic(startError{err})
		}
	}
}

// startError is the failure of an actor whose Started returned an error.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

// Receive implements engine.Behavior: the hot path.
func (c *cell) Receive(e Envelope) {
	t := reflect.TypeOf(e.message)
	if t != c.last.message && !c.find(t) {
		c.receiveOther(e)
		return
	}
	c.current, c.stashed = e, false
	if err := c.last.entry.invoke(c, e); err != nil && !isDeferral(err) {
		c.system.log.Warn("the handler of a cast returned an error",
			"actor", c.path, "message", c.last.entry.name, "error", err)
	}
	c.current = Envelope{}
}

func (c *cell) find(t reflect.Type) bool {
	entry, ok := c.table.byType[t]
	if ok {
		c.last.message, c.last.entry = t, entry
	}
	return ok
}

func (c *cell) receiveOther(e Envelope) {
	if f, ok := e.message.(func(*cell)); ok {
		f(c)
		return
	}
	c.system.undelivered(e, c, notRun(Unimplemented, "%s has no handler for %s", c, c.system.names.of(e.Message())))
}

func (c *cell) castContext(e Envelope) *Context {
	if e.context == nil {
		return &c.plain
	}
	return &Context{base: context.WithoutCancel(e.context), cell: c}
}

func (c *cell) use(t *table) {
	c.table = t
	c.become.Store(t)
	c.last.message, c.last.entry = nil, nil
}

// Failed implements engine.Behavior.
func (c *cell) Failed(value any, stack []byte) {
	if value == nil {
		value = "runtime.Goexit was called"
	}
	attrs := []any{"actor", c.path, "failure", value}
	if _, planned := value.(startError); !planned {
		attrs = append(attrs, "stack", string(stack))
	}
	if e := c.current; e.message != nil {
		c.current = Envelope{}
		if c.stashed {
			c.stash = c.stash[:len(c.stash)-1]
		}
		attrs = append(attrs, "message", c.system.names.of(e.Message()))
		err := &Error{Code: Internal, Message: "the actor " + c.String() + " crashed on this message: " + describe(value)}
		c.system.undelivered(e, c, err)
	}
	c.system.log.Error("actor failed", attrs...)
}

// Supervise implements engine.Behavior.
func (c *cell) Supervise(value any) engine.Decision {
	if value == nil {
		value = Errorf(Internal, "runtime.Goexit was called")
	}
	decision := c.def.supervision.decide(&c.failures, value, time.Now())
	if decision.Directive != engine.Restart && decision.Directive != engine.Resume {
		c.ending = &Error{Code: Internal, Message: c.String() + " failed and was not restarted: " + describe(value)}
	}
	return decision
}

// Restarting implements engine.Behavior.
func (c *cell) Restarting() {
	c.endIncarnation(Errorf(Unavailable, "%s is restarting", c))
	c.process.Unget(c.stash)
	c.stash = nil
	c.use(c.def.table)
}

// Stopping implements engine.Behavior.
func (c *cell) Stopping(rest []Envelope) {
	c.halted.Store(true)
	for _, e := range append(c.stash, rest...) {
		c.system.undelivered(e, c, notRun(Unavailable, "%s stopped before it handled the message", c))
	}
	c.stash = nil
}

// Stopped implements engine.Behavior.
func (c *cell) Stopped() {
	c.endIncarnation(Errorf(Unavailable, "%s has stopped", c))
	c.system.forget(c)
}

// ChildEnded implements engine.Behavior.
func (c *cell) ChildEnded(id string) { delete(c.children, id) }

// endIncarnation lets go of what belongs to the value of the actor.
func (c *cell) endIncarnation(cause error) {
	for t := range c.timers {
		t.timer.Stop()
	}
	c.timers = nil
	for _, w := range c.watching {
		w.cancel()
	}
	c.watching = nil
	c.endLifetime(cause)
	if s, ok := c.instance.(Stopper); ok {
		if err := guard("Stopped", func() error { s.Stopped(&c.plain); return nil }); err != nil {
			c.system.log.Error("actor failed to stop cleanly", "actor", c.path, "error", err)
		}
	}
	c.instance = nil
}

// stop asks the actor to end, and interrupts a handler that watches its context.
func (c *cell) stop() {
	c.halted.Store(true)
	c.process.Stop()
	c.endLifetime(Errorf(Unavailable, "%s was told to stop", c))
}

func (c *cell) lifetime() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancelCause(c.system.base)
		if c.halted.Load() {
			c.cancel(context.Canceled)
		}
	}
	return c.ctx
}

// endLifetime cancels the context of this incarnation. A restart makes a new one
// when somebody looks.
func (c *cell) endLifetime(cause error) {
	c.mu.Lock()
	cancel := c.cancel
	c.ctx, c.cancel = nil, nil
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}
