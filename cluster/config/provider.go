package config

import (
	"context"
	"sync"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/actor/contain"
)

// Read returns the values of the last version that this node has seen, from memory. They
// belong to the caller. It never fails. With ReadBytes, [Document.Watch] and
// [Document.Unwatch] it makes a Document a provider of koanf that can be watched.
func (d *Document) Read() (map[string]any, error) { return cloneMap(d.read().Values), nil }

// ReadBytes is Read, and returns a JSON object. There, too, whole numbers are those
// without a point and an exponent.
func (d *Document) ReadBytes() ([]byte, error) { return marshal(d.read().Values) }

func (d *Document) read() Version {
	now := d.state.Load()
	d.given.Store(now)
	return now.version
}

// Watch calls f with a [Version] whenever Read would return another one, and at once if
// it has changed since the last call of Read. f is called by one goroutine, with one
// version after another; if it is slow it is not given all of them, but always the last.
// It is called with an error when there is a newer version that does not decode; Read then
// goes on with the last good one.
//
// One function can watch at a time: FailedPrecondition says that another does, or that
// the Document is closed. For another, open the document again, or use
// [Document.Observe].
func (d *Document) Watch(f func(event any, err error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.ctx.Err() != nil:
		return actor.Errorf(actor.FailedPrecondition, "config: document %q is closed: open it again", d.Name())
	case d.watcher != nil:
		return actor.Errorf(actor.FailedPrecondition, "config: document %q is watched already: open it again for another function, or call Unwatch first", d.Name())
	}
	w := &watcher{document: d, f: f, seen: d.state.Load()}
	if given := d.given.Load(); given != nil && given.version.Revision != w.seen.version.Revision {
		w.seen = given
	}
	ctx, stop := context.WithCancel(d.ctx)
	w.stop = stop
	w.running.Go(func() { w.run(ctx) })
	d.watcher = w
	return nil
}

// Unwatch ends Watch, and waits until its function has returned: so that must not call
// it. It is idempotent and returns nil.
func (d *Document) Unwatch() error {
	d.mu.Lock()
	w := d.watcher
	d.mu.Unlock()
	if w == nil {
		return nil
	}
	w.stop()
	w.running.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watcher == w {
		d.watcher = nil
	}
	return nil
}

// watcher tells a function about changes.
type watcher struct {
	document *Document
	f        func(any, error)
	seen     *state
	stop     context.CancelFunc
	running  sync.WaitGroup
}

func (w *watcher) run(ctx context.Context) {
	for {
		now := w.document.state.Load()
		if now == w.seen {
			select {
			case <-now.changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		w.seen = now
		w.tell(now)
	}
}

// tell calls the function, whose failure is its own affair.
func (w *watcher) tell(now *state) {
	err := contain.Call("the watcher", func() error {
		if now.err != nil {
			w.f(nil, now.err)
		} else {
			w.f(now.version.clone(), nil)
		}
		return nil
	})
	if err != nil {
		w.document.host.Logger().Error("a watcher of settings has failed", "document", w.document.Name(), "error", err)
	}
}
