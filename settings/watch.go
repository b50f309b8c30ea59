package settings

import "context"

// Watch calls changed, in a goroutine of its own, when the part of the settings at key
// has changed, until ctx or the Live ends. The key "" is all of them; else it is the
// path of a field, a struct, or an entry of a map.
//
// old is what changed was last called with, at first what Get returned when Watch was
// called, and new is the current settings. The calls are in order and one at a time. A
// watcher that takes long disturbs no other; it misses what has been replaced meanwhile,
// but never the last change. A panic in changed is logged, and it is called again with
// the next change. old and new must not be changed.
//
// The error has the code [UnknownKey] or [Closed].
func (l *Live[T]) Watch(ctx context.Context, key string, changed func(old, new *T)) error {
	p, err := l.schema.find(key)
	if err != nil {
		return err
	}
	seen := l.current.Load()
	if !l.work(func() { l.watch(ctx, p, seen, changed) }) {
		return failure(Closed, key, "the settings have been closed: watch them before that")
	}
	return nil
}

func (l *Live[T]) watch(ctx context.Context, p place, seen *snapshot[T], changed func(old, new *T)) {
	old, latest := seen.value, seen
	for {
		select {
		case <-latest.superseded:
		case <-ctx.Done():
			return
		case <-l.stopping.Done():
			return
		}
		if ctx.Err() != nil || l.stopping.Err() != nil {
			return
		}
		latest = l.current.Load()
		if p.equal(old, latest.value) {
			continue
		}
		err := guard("a watcher", func() error { changed(old, latest.value); return nil })
		if err != nil {
			l.plan.logger.Error("a watcher of settings failed", "key", p.path, "error", err)
		}
		old = latest.value
	}
}
