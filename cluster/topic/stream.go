package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// stream is what this node knows of a durable topic that it uses, and the partitions that
// it owns.
type stream struct {
	extension  *extension
	name       string
	settings   settings
	assignment atomic.Pointer[assignment]
	outboxes   []outbox      // by partition
	wake       chan struct{} // lets keep look again
	leaving    chan struct{} // closed when the node leaves
	left       chan struct{} // closed when nothing is owned any more
	depart     sync.Once

	mu       sync.Mutex
	changed  chan struct{}                // closed at the next change of the assignment
	held     map[int]*tenure              // by partition
	released map[int]persistence.Revision // epochs that are over
}

// stream returns the one of that name, after this node has begun to use it. The first
// time that takes the replicated store.
func (x *extension) stream(ctx context.Context, name string, s settings) (*stream, error) {
	known := x.streams.get(name)
	if known != nil && known.settings == s {
		return known, nil
	}
	what := fmt.Sprintf("the first use of %q waits for the replicated store", name)
	if err := x.persist(ctx, what, func(ctx context.Context) error { return s.agree(ctx, x.node, name) }); err != nil {
		return nil, err
	}
	if known != nil {
		return known, nil
	}
	return x.streams.add(x, name, s)
}

// persist tries until the replicated store does it, which must be idempotent. Its first use
// may take a while. what is what the log says of it.
func (x *extension) persist(ctx context.Context, what string, do func(context.Context) error) error {
	ctx, cancel := patiently(ctx)
	defer cancel()
	var level slog.LevelVar // Info, until something fails
	waiting := x.node.Waiting(&level, "topic: "+what)
	defer waiting.Done()
	waiting.Because(errors.New("it has not answered yet"))
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := do(ctx)
		switch {
		case err == nil:
			return nil
		case x.present() != nil:
			return errLeft(x.node)
		case !isPassing(err) && actor.CodeOf(err) != actor.Unknown:
			return err
		case !wait(ctx, pause):
			return overdue(ctx, err)
		}
		level.Set(slog.LevelWarn)
		waiting.Because(err)
	}
}

// streams are those of one node, by name.
type streams struct {
	mu     sync.Mutex
	byName map[string]*stream
	closed bool
}

func (all *streams) get(name string) *stream {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byName[name]
}

func (all *streams) add(x *extension, name string, settings settings) (*stream, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if known := all.byName[name]; known != nil {
		return known, nil
	}
	if all.closed {
		return nil, errLeft(x.node)
	}
	if err := x.spawnPeer(); err != nil {
		return nil, err
	}
	s := &stream{
		extension: x, name: name, settings: settings,
		wake: make(chan struct{}, 1), leaving: make(chan struct{}), left: make(chan struct{}),
		changed: make(chan struct{}), held: make(map[int]*tenure), released: make(map[int]persistence.Revision),
	}
	s.assignment.Store(s.newAssignment())
	s.outboxes = make([]outbox, settings.Partitions)
	for i := range s.outboxes {
		o := &s.outboxes[i]
		o.stream, o.partition = s, i
		o.awaited = fmt.Sprintf("topic: partition %d of %q is waited for", i, name)
	}
	if !x.run(s.follow) || !x.run(s.keep) {
		return nil, errLeft(x.node)
	}
	if all.byName == nil {
		all.byName = make(map[string]*stream)
	}
	all.byName[name] = s
	return s, nil
}

// close returns all there are, and lets there be no more.
func (all *streams) close() []*stream {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.closed = true
	var list []*stream
	for _, s := range all.byName {
		list = append(list, s)
	}
	return list
}

func (s *stream) newAssignment() *assignment {
	return &assignment{owners: make([]owner, s.settings.Partitions)}
}

// isOwned reports whether o still owns a partition, as far as this node knows.
func (s *stream) isOwned(partition int, o owner) bool {
	return s.assignment.Load().owners[partition] == o
}

// change returns a channel that closes at the next change of the assignment.
func (s *stream) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// publish makes a the assignment.
func (s *stream) publish(a *assignment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assignment.Store(a)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// follow keeps the assignment as the records say.
func (s *stream) follow(ctx context.Context) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		s.extension.node.Logger().Debug("the owners of a durable topic are not followed now", "topic", s.name, "error", err)
		if time.Since(began) > maxPause {
			pause = minPause
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

// watch reads the records and follows their changes until that fails.
func (s *stream) watch(ctx context.Context) error {
	session, err := s.extension.node.Session(ctx)
	if err != nil {
		return err
	}
	store := session.Store()
	records, after, err := persistence.Current(ctx, store, assignmentPrefix(s.name))
	if err != nil {
		return err
	}
	a := s.newAssignment()
	a.read, a.revision = true, after
	for _, r := range records {
		s.apply(a, persistence.Change{Key: r.Key, Value: r.Value}, r.Revision)
	}
	s.publish(a)
	for changes, err := range store.Watch(ctx, assignmentPrefix(s.name), after) {
		if err != nil {
			return err
		}
		a = a.clone()
		a.revision = changes.Revision
		for _, c := range changes.Changes {
			s.apply(a, c, changes.Revision)
		}
		s.publish(a)
	}
	return actor.Errorf(actor.Unavailable, "topic: the watch ended")
}

func (s *stream) apply(a *assignment, c persistence.Change, revision persistence.Revision) {
	if err := a.apply(s.name, c, revision); err != nil {
		s.extension.node.Logger().Warn("a record of a durable topic is not understood", "topic", s.name, "error", err)
	}
}
