package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
	"github.com/troupe-go/troupe/persistence"
)

// tenure is the time for which this node owns a partition.
type tenure struct {
	stream    *stream
	partition int
	epoch     persistence.Revision
	closing   bool               // under the stream's lock
	cancel    context.CancelFunc // ends run
	ctx       context.Context
	ready     chan struct{} // closed when log or err is set
	log       *eventlog.Partition
	err       error // why it could not be opened
	ended     chan struct{}

	mu      sync.Mutex
	outlets map[string]*outlet
	closed  bool
}

func newTenure(s *stream, partition int, epoch persistence.Revision) *tenure {
	t := &tenure{
		stream: s, partition: partition, epoch: epoch,
		ready: make(chan struct{}), ended: make(chan struct{}), outlets: make(map[string]*outlet),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// run opens the partition, and has it given away when it cannot go on. It returns when
// the tenure is closed, or ctx ends.
func (t *tenure) run(ctx context.Context) {
	defer close(t.ended)
	stop := context.AfterFunc(ctx, t.cancel)
	defer stop()
	t.log, t.err = t.open()
	close(t.ready)
	if t.err != nil {
		t.stream.extension.node.Logger().Error("a partition of a durable topic cannot be opened", "topic", t.stream.name, "partition", t.partition, "error", t.err)
		t.stream.awake()
		return
	}
	select {
	case <-t.log.Done():
		t.stream.awake()
	case <-t.ctx.Done():
	}
}

// open tries until the store says something definite.
func (t *tenure) open() (*eventlog.Partition, error) {
	s := t.stream
	waiting := s.extension.node.Waiting(slog.LevelWarn, fmt.Sprintf("topic: partition %d of %q is being opened", t.partition, s.name))
	defer waiting.Done()
	waiting.Because(errors.New("what it holds is read from the replicated store"))
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		log, err := eventlog.Open(t.ctx, s.settings.log(s.extension.node, s.name, t.partition, t.epoch))
		if err == nil || errors.Is(err, eventlog.ErrFenced) || errors.Is(err, eventlog.ErrCorrupt) {
			return log, err
		}
		waiting.Because(err)
		if !wait(t.ctx, pause) {
			return nil, err
		}
	}
}

// isOver reports whether the tenure has ended by itself: somebody else has opened the
// partition. One that is corrupt stays, and says so to everybody.
func (t *tenure) isOver() bool {
	select {
	case <-t.ready:
	default:
		return false
	}
	if t.err != nil {
		return !errors.Is(t.err, eventlog.ErrCorrupt)
	}
	return t.log.Err() != nil
}

// drainTimeout is how long a partition that moves waits for what consumers have at hand.
const drainTimeout = time.Second

// drain waits for acknowledgements that are on their way, so that the next owner delivers
// nothing again that was handled.
func (t *tenure) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if log, err := t.opened(ctx); err == nil {
		log.Drain(ctx)
	}
}

// close ends the tenure. It writes how far the groups are, unless ctx has ended. It may
// be called again, and waits.
func (t *tenure) close(ctx context.Context) {
	t.cancel()
	<-t.ended
	if t.log != nil {
		_ = t.log.Close(ctx) // what is not written is delivered again, which it says
	}
	t.mu.Lock()
	outlets := t.outlets
	t.outlets, t.closed = nil, true
	t.mu.Unlock()
	for _, o := range outlets {
		o.end(nil)
	}
}

// opened returns the partition when it is open.
func (t *tenure) opened(ctx context.Context) (*eventlog.Partition, error) {
	select {
	case <-t.ready:
	case <-ctx.Done():
		return nil, ended(ctx, "partition %d of %q is not open yet", t.partition, t.stream.name)
	}
	if t.err != nil {
		return nil, t.err
	}
	return t.log, nil
}

// tenure returns the one of a partition, nil if it is not owned here.
func (s *stream) tenure(partition int) *tenure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[partition]
}

// owned returns a partition that this node owns, once it is open.
func (x *extension) owned(ctx context.Context, topic string, partition int) (*tenure, *eventlog.Partition, error) {
	s := x.streams.get(topic)
	if s == nil {
		return nil, nil, refusal(actor.Unavailable, "node %q does not use the durable topic %q yet", x.node.Name(), topic)
	}
	t := s.tenure(partition)
	if t == nil {
		return nil, nil, refusal(actor.Unavailable, "partition %d of %q is not on node %q", partition, topic, x.node.Name())
	}
	log, err := t.opened(ctx)
	return t, log, err
}

// admit adds an outlet; false if it is there already.
func (t *tenure) admit(o *outlet) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false, refusal(actor.Unavailable, "partition %d of %q is moving", t.partition, t.stream.name)
	}
	if t.outlets[o.inlet] != nil {
		return false, nil
	}
	t.outlets[o.inlet] = o
	return true, nil
}

func (t *tenure) outlet(inlet string) *outlet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.outlets[inlet]
}

func (t *tenure) dismiss(o *outlet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outlets[o.inlet] == o {
		delete(t.outlets, o.inlet)
	}
}
