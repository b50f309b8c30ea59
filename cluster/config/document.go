package config

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
)

// Document is a document of settings that this node follows. All methods may be called
// concurrently.
type Document struct {
	host    host
	history history
	options *options
	copies  *copyFile // nil if there is none

	ctx      context.Context // ends with the document
	end      context.CancelFunc
	running  sync.WaitGroup
	takeBack func() // the farewell

	state atomic.Pointer[state] // replaced by the follower only
	given atomic.Pointer[state] // what Read or ReadBytes answered from last

	mu      sync.Mutex
	watcher *watcher // nil if nobody watches
}

// state is what the follower of a document knows. It does not change.
type state struct {
	version Version
	known   bool          // there is a version
	err     error         // why there is none, or the newest is not read
	changed chan struct{} // closed when there is another state
}

// Open follows the document with that name: up to 100 of the characters a-z, 0-9, "-",
// "_" and ".", not "." first. Nothing has to be made before: a document that was never
// written is empty, and version 0.
//
// Open returns when a version is known. While the replicated store cannot be reached it
// waits until ctx ends; the error then has the code of ctx, and says why. With [KeepCopy]
// it does not wait if there is a copy, and takes that, until the store can be reached. It
// returns InvalidArgument for a name or options that make no sense, DataLoss if the newest
// record is no version, and cluster.ErrLeft, or that the store is closed, when the node has
// left.
//
// The Document follows until Close, or until the node leaves.
func Open(ctx context.Context, n *cluster.Node, name string, options ...Option) (*Document, error) {
	return open(ctx, node{n}, name, options)
}

func open(ctx context.Context, h host, name string, options []Option) (*Document, error) {
	o, err := newOptions(options)
	if err != nil {
		return nil, err
	}
	versions, err := newHistory(h.Store(), name)
	if err != nil {
		return nil, err
	}
	d := &Document{host: h, history: versions, options: o}
	if o.copies != "" {
		d.copies = newCopyFile(o.copies, h.Cluster(), name)
	}
	d.state.Store(&state{changed: make(chan struct{})})
	d.ctx, d.end = context.WithCancel(context.Background())
	d.running.Go(d.follow)
	d.takeBack = h.OnLeave(func(context.Context) { d.stop() })
	if err := d.begin(ctx); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// begin waits for the first version.
func (d *Document) begin(ctx context.Context) error {
	for {
		now := d.state.Load()
		switch {
		case now.known:
			return nil
		case now.err != nil && !passes(now.err):
			return d.failure("reading", now.err)
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			err := context.Cause(ctx)
			if now.err != nil {
				err = fmt.Errorf("%w; the last attempt: %w", err, now.err)
			} else {
				err = fmt.Errorf("%w; the replicated store has not answered yet", err)
			}
			return actor.Errorf(actor.CodeOf(ctx.Err()), "config: document %q was not read in time: %w", d.history.document, err)
		case <-d.ctx.Done():
			return d.failure("reading", cluster.ErrLeft)
		}
	}
}

// Name returns the name given to [Open].
func (d *Document) Name() string { return d.history.document }

// Last returns the last version that this node has seen, from memory.
func (d *Document) Last() Version { return d.state.Load().version.clone() }

// Close ends the following, and waits for its goroutines: so a function given to Watch
// must not call it. What Read and Last return stays as it is. It is idempotent and
// returns nil.
func (d *Document) Close() error {
	d.takeBack()
	d.stop()
	return nil
}

func (d *Document) stop() {
	d.end()
	_ = d.Unwatch()
	d.running.Wait()
}

// follow keeps the state until the document is closed.
func (d *Document) follow() {
	o := observer{
		history: d.history,
		yield: func(v Version) bool {
			d.become(&state{version: v, known: true})
			d.keep(v)
			return true
		},
		failed: d.failed,
	}
	_ = o.run(d.ctx)
}

func (d *Document) become(next *state) {
	next.changed = make(chan struct{})
	close(d.state.Swap(next).changed)
}

// failed takes note that following has failed. It goes on: versions to come may be good.
func (d *Document) failed(err error) bool {
	now := d.state.Load()
	if !now.known && now.err == nil {
		if v, ok := d.kept(); ok {
			now = &state{version: v, known: true}
			d.become(now)
		}
	}
	told := now.err != nil && now.err.Error() == err.Error()
	if told || now.known && passes(err) {
		return true
	}
	if now.known {
		d.host.Logger().Error("the newest settings cannot be read, so that the last ones stay", "document", d.Name(), "version", now.version.Number, "error", err)
	}
	d.become(&state{version: now.version, known: now.known, err: err})
	return true
}

// keep writes the copy.
func (d *Document) keep(v Version) {
	if d.copies == nil {
		return
	}
	if err := d.copies.save(v); err != nil {
		d.host.Logger().Warn("no copy of the settings is kept for a start without the store", "document", d.Name(), "version", v.Number, "error", err)
	}
}

// kept reads the copy.
func (d *Document) kept() (Version, bool) {
	if d.copies == nil {
		return Version{}, false
	}
	v, err := d.copies.load()
	if err != nil {
		d.host.Logger().Warn("there are no settings to start with before the store can be reached", "document", d.Name(), "error", err)
		return Version{}, false
	}
	d.host.Logger().Warn("the store cannot be reached: the settings are those this node had last", "document", d.Name(), "version", v.Number)
	return v, true
}
