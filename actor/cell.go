package actor

import (
	"context"
	"errors"
	"reflect"
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
	parent  *incarnation // nil at the top
	def     *definition
	path    string
	uid     uint64
	id      string // in the engine

	// Owned by the turn.
	table *table
	last  struct { // the entry of the latest message: most come in rows
		message reflect.Type
		entry   *entry
	}
	current  Envelope
	timer    *Timer // whose message current is; nil for any other
	stashed  bool   // current is in the stash
	checking bool   // the guard has been asked about current
	unharmed bool   // it was the guard that failed
	stash    []Envelope
	children map[string]*cell // by id
	failures failures
	ending   error // why the actor ends; read by watchers after its end

	// For those who ask what takes so long.
	doing atomic.Pointer[string]    // the message of this turn, or of the last; or a method
	began atomic.Pointer[time.Time] // nil before the system stops

	asks  atomic.Uint32 // numbers the asks in its turns
	waits atomic.Uint32 // the ask that its turn waits for; 0 for none

	now    atomic.Pointer[incarnation]
	halted atomic.Bool           // told to stop
	held   atomic.Pointer[held]  // nil until a message had to wait for room in the mailbox
	become atomic.Pointer[table] // the table, for Deliver; nil for the definition's
}

func newCell(s *System, parent *incarnation, d *definition, path, name string) (*cell, error) {
	c := &cell{system: s, parent: parent, def: d, path: path, uid: s.nextUID(), table: d.table}
	c.now.Store(newIncarnation(c))
	c.id = FormatPath(name, c.uid)
	queue, err := d.queue(c.dropped)
	if err != nil {
		return nil, err
	}
	config := engine.Config[Envelope]{Name: c.id, Queue: queue, Behavior: c}
	if parent == nil {
		c.process = engine.NewProcess(s.engine, config)
	} else {
		c.process = parent.cell.process.NewChild(config)
		c.id = parent.cell.id + "/" + c.id
	}
	return c, nil
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
	if e.message == nil {
		return notRun(InvalidArgument, "nil is not a message")
	}
	ctx, err := e.Context(), error(nil)
	if ctx == nil {
		err = c.process.TryPost(e)
	} else {
		err = c.post(ctx, e)
	}
	if err != nil {
		return c.refused(ctx, err)
	}
	return nil
}

// Ask implements Recipient.
func (c *cell) Ask(e Envelope) error {
	k, ok := e.message.(request)
	if !ok {
		return notRun(InvalidArgument, "%T is told, not asked: it has no reply", e.message)
	}
	if err := c.awaits(k.sender()); err != nil {
		return err
	}
	ctx := k.context()
	w := c.system.waiters.Get().(*waiter)
	attempt := k.begin(w)
	if err := c.post(ctx, Envelope{message: attempt}); err != nil {
		return c.refused(ctx, err) // w is not used again: a queue that fails may have taken the call
	}
	err := attempt.wait(c.system.waiters)
	if attempt != k && err == nil {
		k.adopt(attempt)
	}
	return err
}

// refused explains why the mailbox did not take a message that came with ctx, if
// with any.
func (c *cell) refused(ctx context.Context, err error) *Error {
	switch {
	case errors.Is(err, mailbox.ErrClosed):
		return c.gone()
	case errors.Is(err, mailbox.ErrFull):
		return notRun(ResourceExhausted, "the mailbox of %s is full; slow down, or raise its capacity", c)
	}
	code := CodeOf(err)
	if ctx != nil && ctx.Err() != nil {
		code = CodeOf(ctx.Err()) // the cause may be anything
	}
	return &Error{Code: code, Message: "the mailbox of " + c.String() + " did not take the message: " + err.Error(), NotRun: true, cause: err}
}

// Watch implements Recipient.
func (c *cell) Watch(ended func(reason error)) (func(), error) {
	return c.process.WatchFunc(func(late bool) {
		reason := c.ending
		if late { // another node knows no more of it by then
			reason = c.gone()
		}
		c.contain("a watcher of it", func() { ended(reason) })
	}), nil
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
	in := c.now.Load()
	if in.ended() && !c.halted.Load() {
		in = newIncarnation(c)
		c.now.Store(in)
		if c.halted.Load() { // meanwhile: stop may have ended the one before
			in.end(errToldToStop)
		}
	}
	c.call("its start", func() {
		in.instance = c.def.create()
		if s, ok := in.instance.(Starter); ok {
			if err := s.Started(&in.plain); err != nil {
				panic(failure{err})
			}
		}
	})
}

var errToldToStop = Errorf(Unavailable, "the actor was told to stop")

// Receive implements engine.Behavior: the hot path.
func (c *cell) Receive(e Envelope) {
	t := reflect.TypeOf(e.message)
	if (t != c.last.message || t == nil) && !c.find(e.message, t) {
		c.receiveOther(e)
		return
	}
	c.current, c.stashed = e, false
	if c.def.guard != nil && !c.admitted(e) {
		c.current = Envelope{}
		return
	}
	entry := c.last.entry // the handler may become another
	c.begins()
	if err := entry.invoke(c, e.message); err != nil && !isDeferral(err) {
		c.system.log.Warn("the handler of a cast returned an error",
			"actor", c.path, "message", entry.name, "error", err)
	}
	c.current = Envelope{}
}

// find sets last for message, whose dynamic type is t, and reports whether it has a
// handler.
func (c *cell) find(message any, t reflect.Type) bool {
	entry, fixed := c.table.find(message)
	if entry == nil {
		return false
	}
	if !fixed {
		t = nil
	}
	c.last.message, c.last.entry = t, entry
	c.doing.Store(&entry.name)
	return true
}

func (c *cell) receiveOther(e Envelope) {
	if t, ok := e.message.(*Timer); ok {
		t.tick()
		return
	}
	c.system.undelivered(e, c, c.unhandled(c.system.names.of(e.Message())))
}

// unhandled is the error for a message that c has no handler for.
func (c *cell) unhandled(name string) *Error {
	return notRun(Unimplemented, "%s (%s) has no handler for %.80q", c, typeName(c.def.protocol), name)
}

func (c *cell) use(t *table) {
	c.table = t
	c.become.Store(t)
	c.last.message, c.last.entry = nil, nil
}

// Failed implements engine.Behavior.
func (c *cell) Failed(value any, stack []byte) {
	attrs := []any{"actor", c.path, "failure", describe(value)}
	if _, planned := value.(failure); !planned {
		attrs = append(attrs, "stack", string(stack))
	}
	if e := c.current; e.message != nil {
		c.current = Envelope{}
		if c.stashed {
			c.stash = c.stash[:len(c.stash)-1]
		}
		if c.timer != nil {
			c.timer.handled(c.stashed)
		}
		attrs = append(attrs, "message", c.system.names.of(e.Message()))
		if c.checking {
			c.checking, c.unharmed = false, true
			c.system.log.Error("the guard of an actor failed, and so refused a message", attrs...)
			c.system.undelivered(e, c, notRun(Internal, "the guard of %s failed, and so refused the message: %s", c, describe(value)))
			return
		}
		c.system.undelivered(e, c, c.crashed(value))
	}
	c.system.log.Error("actor failed", attrs...)
}

// Supervise implements engine.Behavior.
func (c *cell) Supervise(value any) engine.Decision {
	if c.unharmed {
		c.unharmed = false
		return engine.Decision{Directive: engine.Resume}
	}
	decision := c.def.supervision.decide(&c.failures, value, time.Now())
	if decision.Directive != engine.Restart && decision.Directive != engine.Resume {
		c.ending = &Error{Code: Internal, Message: c.String() + " failed and was not restarted: " + describe(value)}
		c.system.log.Error("actor is not restarted", "actor", c.path)
	}
	return decision
}

// Restarting implements engine.Behavior.
func (c *cell) Restarting() {
	c.now.Load().release(Errorf(Unavailable, "%s is restarting", c))
	c.process.Unget(c.stash)
	c.stash = nil
	c.use(c.def.table)
}

// Stopping implements engine.Behavior.
func (c *cell) Stopping(rest []Envelope) {
	c.halted.Store(true)
	c.now.Load().end(errToldToStop) // so that the handlers of children end
	for _, e := range append(c.stash, rest...) {
		c.system.undelivered(e, c, notRun(Unavailable, "%s stopped before it handled the message", c))
	}
	c.stash = nil
}

// Stopped implements engine.Behavior.
func (c *cell) Stopped() {
	c.now.Load().release(errToldToStop)
	c.system.forget(c)
}

// ChildEnded implements engine.Behavior.
func (c *cell) ChildEnded(id string) { delete(c.children, id) }

// stop asks the actor to end, and interrupts a handler that watches its context.
func (c *cell) stop() {
	c.halted.Store(true)
	c.process.Stop()
	c.now.Load().end(errToldToStop)
}
