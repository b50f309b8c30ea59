package consensus

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actor"
	pb "github.com/troupe-go/troupe/cluster/internal/consensuspb"
	"github.com/troupe-go/troupe/persistence"
)

// Commits gather while others are on their way to the leader, and travel together: one
// batch at a time, since a larger one costs hardly more than a small one.
const (
	maxBatch      = 512     // transactions in one
	maxBatchBytes = 1 << 20 // unless one alone is larger
)

// proposer gathers the transactions of this node.
type proposer struct {
	mu      sync.Mutex
	queue   []*write
	sending bool
	idle    chan struct{} // closed when nothing is sent any more; nil if nobody waits

	// The leader knows from these what it has seen, so that a batch that is sent again
	// is applied once. They belong to run.
	name     string
	sequence uint64
}

// write is a transaction that waits for its outcome.
type write struct {
	transaction *pb.Transaction // of its own
	size        int
	until       time.Time // waits as long as that for a leader, before it is on its way
	batch       *batch    // when it is on its way
	done        chan struct{}
	revision    persistence.Revision
	err         error
}

func (w *write) finish(revision persistence.Revision, err error) {
	w.revision, w.err = revision, err
	close(w.done)
}

// batch is what is sent at a time.
type batch struct {
	writes  []*write
	waiting int // callers who have not given up
	stop    context.CancelFunc
}

// Commit implements [persistence.Store].
func (s store) Commit(ctx context.Context, t persistence.Transaction) (persistence.Revision, error) {
	c := s.core
	if err := c.check(ctx); err != nil {
		return 0, err
	}
	if len(t.If) == 0 && len(t.Then) == 0 {
		return s.latest(ctx)
	}
	if _, err := c.ensure(ctx); err != nil {
		return 0, err
	}
	w := newWrite(&t)
	w.until = c.patience()
	if !c.proposer.submit(c, w) {
		return 0, errClosed()
	}
	// The end of the Core finishes w, too: what comes of it is known there.
	select {
	case <-w.done:
		return w.revision, w.err
	case <-ctx.Done():
	}
	if !c.proposer.abandon(w) {
		return 0, c.unsent(ctx)
	}
	return 0, outcomeUnknown(ctx.Err())
}

// newWrite copies t, since its caller may be gone before it is sent.
func newWrite(t *persistence.Transaction) *write {
	w := &write{transaction: encodeTransaction(t), done: make(chan struct{})}
	for _, c := range w.transaction.Then {
		c.Value = bytes.Clone(c.Value)
	}
	w.size = proto.Size(w.transaction)
	return w
}

// submit queues w, and has the queue sent. It reports whether the Core is open.
func (p *proposer) submit(c *Core, w *write) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.sending {
		if !c.enter() {
			return false
		}
		p.sending = true
		go func() {
			defer c.running.Done()
			p.run(c.ctx, c)
		}()
	}
	p.queue = append(p.queue, w)
	return true
}

// drain waits until all writes have their outcome, though no longer than ctx and patience.
func (p *proposer) drain(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.mu.Lock()
	idle := p.idle
	if p.sending && idle == nil {
		idle = make(chan struct{})
		p.idle = idle
	}
	sending := p.sending
	p.mu.Unlock()
	if sending {
		select {
		case <-idle:
		case <-ctx.Done():
		}
	}
}

// abandon takes back a write whose caller has given up. It reports whether the write
// may be applied nevertheless.
func (p *proposer) abandon(w *write) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.batch == nil {
		p.queue = slices.DeleteFunc(p.queue, func(other *write) bool { return other == w })
		return false
	}
	if w.batch.waiting--; w.batch.waiting == 0 {
		w.batch.stop()
	}
	return true
}

// run sends batches until nothing is queued.
func (p *proposer) run(ctx context.Context, c *Core) {
	for {
		p.awaitLeader(ctx, c)
		ctx, stop := context.WithCancel(ctx)
		b := p.take(stop)
		if b != nil {
			p.send(ctx, c, b)
		}
		stop()
		if b == nil {
			return
		}
	}
}

// awaitLeader returns when there is a leader, or nothing is queued any more. Each write
// waits for itself: it does not matter how long those before it have.
func (p *proposer) awaitLeader(ctx context.Context, c *Core) {
	for {
		p.mu.Lock()
		var until time.Time
		for _, w := range p.queue {
			if until.IsZero() || w.until.Before(until) {
				until = w.until
			}
		}
		p.mu.Unlock()
		if until.IsZero() {
			return
		}
		_, err := c.awaitLeader(ctx, until)
		if err == nil {
			return
		}
		now, ended := time.Now(), ctx.Err() != nil
		p.mu.Lock()
		p.queue = slices.DeleteFunc(p.queue, func(w *write) bool {
			late := !now.Before(c.extended(w.until))
			switch {
			case ended:
				w.finish(0, errClosed())
			case late:
				w.finish(0, err)
			}
			return ended || late
		})
		p.mu.Unlock()
	}
}

// take makes a batch of what is queued; nil ends run.
func (p *proposer) take(stop context.CancelFunc) *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.queue) && n < maxBatch && (n == 0 || size+p.queue[n].size <= maxBatchBytes) {
		size += p.queue[n].size
		n++
	}
	if n == 0 {
		p.queue, p.sending = nil, false
		if p.idle != nil {
			close(p.idle)
			p.idle = nil
		}
		return nil
	}
	b := &batch{writes: p.queue[:n:n], waiting: n, stop: stop}
	p.queue = p.queue[n:]
	for _, w := range b.writes {
		w.batch = b
	}
	return b
}

func (b *batch) fail(err error) {
	for _, w := range b.writes {
		w.finish(0, err)
	}
}

// blame returns err, or that the Core is closed if that is why, and nothing has happened.
func (c *Core) blame(err error) error {
	if c.ctx.Err() != nil && !errors.Is(err, ErrOutcomeUnknown) && !definite(err) {
		return errClosed()
	}
	return err
}

// send has the leader apply a batch, and finishes its writes.
func (p *proposer) send(ctx context.Context, c *Core, b *batch) {
	if p.name == "" {
		p.name = randomHex(8)
	}
	p.sequence++
	for len(b.writes) > 0 {
		core, err := c.ensure(ctx)
		if err != nil {
			b.fail(c.blame(err))
			return
		}
		commit := &pb.Commit{From: p.name, Sequence: p.sequence}
		for _, w := range b.writes {
			commit.Transactions = append(commit.Transactions, w.transaction)
		}
		q := &pb.Request{Core: core, Kind: &pb.Request_Commit{Commit: commit}}
		reply, err := c.atLeader(ctx, q)
		done := reply.GetCommit()
		if err == nil && len(done.GetOutcomes()) != len(b.writes) {
			err = actor.Errorf(actor.Unknown, "consensus: %w: the leader gives no outcome", ErrOutcomeUnknown)
		}
		if err != nil {
			p.name, p.sequence = "", 0 // what was sent may come about yet, under the old name
			b.fail(c.blame(err))
			return
		}
		rest := b.writes[:0:0]
		for i, w := range b.writes {
			o := done.Outcomes[i]
			if o.GetFailure() == nil && done.Refused {
				rest = append(rest, w)
				continue
			}
			w.finish(persistence.Revision(o.GetRevision()), errorOf(o.GetFailure()))
		}
		b.writes = rest
	}
}
