package eventlog

import "context"

// resolve returns which offset a position is, given what the log then has.
func (l *Log) resolve(ctx context.Context, at Position) (func(*extent) Offset, error) {
	if at.end {
		return func(x *extent) Offset { return x.next }, nil
	}
	o := at.offset
	if !at.time.IsZero() {
		var err error
		if o, err = l.atTime(ctx, at.time); err != nil {
			return nil, err
		}
	}
	return func(x *extent) Offset { return min(max(o, x.first), x.next) }, nil
}

// create makes a group, unless there is one of that name by then.
func (l *Log) create(ctx context.Context, name string, from Position) error {
	offset, err := l.resolve(ctx, from)
	if err != nil {
		return err
	}
	g := newGroup(l, name)
	o := &operation{prepare: func(t *transaction) error {
		for other := range t.progress {
			if other.log == l && other.name == name {
				return nil
			}
		}
		if l.groups[name] == nil {
			t.replace(g, offset(&t.after.logs[l.index]))
		}
		return nil
	}}
	o.applied = func(t *transaction) {
		if done := t.progress[g]; done != nil {
			l.groups[name] = g
			g.restore(*done)
		}
	}
	return l.p.operate(ctx, o)
}

// Seek lets a group go on elsewhere, whatever it has done: each event from there on is
// delivered as if for the first time, and what has been delivered cannot be
// acknowledged any more. When it returns without an error, that is durable. The error
// is [ErrNoGroup] if there is no such group; otherwise errors are those of
// [Log.Append].
func (l *Log) Seek(ctx context.Context, name string, to Position) error {
	offset, err := l.resolve(ctx, to)
	if err != nil {
		return err
	}
	var g *group
	o := &operation{prepare: func(t *transaction) (err error) {
		if g, err = l.group(name); err == nil {
			t.replace(g, offset(&t.after.logs[l.index]))
		}
		return err
	}}
	o.applied = func(t *transaction) {
		g.broken = nil
		if done := t.progress[g]; done != nil {
			done.counters = g.counters
			g.restore(*done)
		}
	}
	return l.p.operate(ctx, o)
}

// DeleteGroup removes a group. The error is [ErrNoGroup] if there is none, and
// [ErrGroupInUse] while it has consumers; otherwise errors are those of [Log.Append].
func (l *Log) DeleteGroup(ctx context.Context, name string) error {
	o := &operation{prepare: func(t *transaction) error {
		g, err := l.group(name)
		switch {
		case err != nil:
			return err
		case len(g.consumers) > 0:
			return notRun(ErrGroupInUse.Code, "%w: %q has %d", ErrGroupInUse, name, len(g.consumers))
		}
		g.deleting = true
		t.progress[g] = nil
		return nil
	}}
	o.applied = func(*transaction) {
		if g := l.groups[name]; g != nil && g.deleting {
			g.forget()
			delete(l.groups, name)
		}
	}
	return l.p.operate(ctx, o)
}

// Purge removes the events before a position, and ends their deliveries. Groups go on
// behind them. When it returns
// without an error, that is durable; their room is free soon after. Errors are those
// of [Log.Append].
func (l *Log) Purge(ctx context.Context, before Position) error {
	offset, err := l.resolve(ctx, before)
	if err != nil {
		return err
	}
	o := &operation{prepare: func(t *transaction) error {
		x := &t.after.logs[l.index]
		x.first = offset(x)
		return nil
	}}
	o.applied = func(*transaction) {
		for _, g := range l.groups {
			g.skipLoaded(true)
		}
	}
	return l.p.operate(ctx, o)
}

// group returns the one of that name. It is called with the lock.
func (l *Log) group(name string) (*group, error) {
	g := l.groups[name]
	if g == nil || g.deleting {
		return nil, notRun(ErrNoGroup.Code, "%w: %q", ErrNoGroup, name)
	}
	return g, nil
}

// replace makes g begin anew at an offset.
func (t *transaction) replace(g *group, at Offset) {
	t.progress[g] = &progress{position: at, reserved: at, clean: true, counters: g.counters}
}
