package actor

// Terminated tells a watcher that an actor has ended.
type Terminated struct {
	// Who is the actor that was watched.
	Who Address
	// Reason is nil if it stopped, Internal if it failed for good, NotFound if
	// it was not there, and Unavailable if its node is lost.
	Reason error
}

// watch is one registration; its address tells it from an earlier one.
type watch struct{ cancel func() }

// Watch lets the actor, which must be a [Watcher], be told once when the actor
// behind ref has ended, or is not there, or its node is lost. Watching twice is
// watching once. A restart of the watcher ends its watches. A service cannot be
// watched: Unimplemented.
func (c *Context) Watch(ref Addressable) error {
	cell, who := c.cell, ref.Address()
	if _, ok := cell.instance.(Watcher); !ok {
		return Errorf(FailedPrecondition, "%T has no Terminated method, and cannot watch", cell.instance)
	}
	if cell.watching[who] != nil {
		return nil
	}
	w := new(watch)
	cancel, err := who.target().Watch(func(reason error) {
		cell.process.Interrupt(func() { cell.terminated(w, Terminated{who, reason}) })
	})
	if err != nil {
		return err
	}
	w.cancel = cancel
	if cell.watching == nil {
		cell.watching = make(map[Address]*watch)
	}
	cell.watching[who] = w
	return nil
}

// Unwatch takes Watch back: Terminated will not be called for ref.
func (c *Context) Unwatch(ref Addressable) {
	who := ref.Address()
	if w := c.cell.watching[who]; w != nil {
		w.cancel()
		delete(c.cell.watching, who)
	}
}

func (c *cell) terminated(w *watch, t Terminated) {
	if c.watching[t.Who] != w {
		return // taken back meanwhile
	}
	delete(c.watching, t.Who)
	if watcher, ok := c.instance.(Watcher); ok {
		watcher.Terminated(&c.plain, t)
	}
}
