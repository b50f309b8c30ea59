package actor

// Terminated tells a watcher that an actor has ended.
type Terminated struct {
	// Who is the actor that was watched.
	Who Address
	// Reason is nil if it stopped, Internal if it failed for good, NotFound if
	// it was not there or had ended before, and Unavailable if its node is lost.
	Reason error
}

// watch is one registration; its address tells it from an earlier one.
type watch struct{ cancel func() }

// Watch lets the actor, which must be a [Watcher], be told once when the actor
// behind ref has ended, or is not there, or its node is lost. Watching twice is
// watching once. A restart of the watcher ends its watches. A service cannot be
// watched: Unimplemented.
func (c *Context) Watch(ref Addressable) error {
	in, who := c.in, ref.Address()
	if _, ok := in.instance.(Watcher); !ok {
		return Errorf(FailedPrecondition, "%T has no Terminated method, and cannot watch", in.instance)
	}
	if in.watching[who] != nil {
		return nil
	}
	w := new(watch)
	cancel, err := who.target().Watch(func(reason error) {
		in.cell.process.Interrupt(func() { in.terminated(w, Terminated{who, reason}) })
	})
	if err != nil {
		return err
	}
	w.cancel = cancel
	if in.watching == nil {
		in.watching = make(map[Address]*watch)
	}
	in.watching[who] = w
	return nil
}

// Unwatch takes Watch back: Terminated will not be called for ref.
func (c *Context) Unwatch(ref Addressable) {
	who := ref.Address()
	if w := c.in.watching[who]; w != nil {
		w.cancel()
		delete(c.in.watching, who)
	}
}

func (in *incarnation) terminated(w *watch, t Terminated) {
	if in.watching[t.Who] != w {
		return // taken back meanwhile, or the actor has restarted
	}
	delete(in.watching, t.Who)
	if watcher, ok := in.instance.(Watcher); ok {
		in.cell.call("its Terminated method", func() { watcher.Terminated(&in.plain, t) })
	}
}
