package consensus

import (
	"bytes"
	"context"
	"slices"
	"sync"

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

	// The leader knows from these what it has seen, so that a batch that is sent again
	// is applied once. They belong to run.
	name     string
	sequence uint64
}

// write is a transaction that waits for its outcome.
type write struct {
	transaction *pb.Transaction // of its own
	size        int
	batch       *batch // when it is on its way
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
	c.proposer.submit(c, w)
	select {
	case <-w.done:
		if w.err != nil && c.ctx.Err() != nil && !definite(w.err) {
			return 0, errClosed()
		}
		return w.revision, w.err
	case <-c.ctx.Done():
		return 0, errClosed()
	case <-ctx.Done():
	}
	if !c.proposer.abandon(w) {
		return 0, ctx.Err()
	}
	return 0, actor.Errorf(actor.CodeOf(ctx.Err()), "consensus: it is not known whether the transaction will be applied: %w", ctx.Err())
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

// submit queues w, and has the queue sent.
func (p *proposer) submit(c *Core, w *write) {
	p.mu.Lock()
	p.queue = append(p.queue, w)
	first := !p.sending
	p.sending = true
	p.mu.Unlock()
	if first {
		c.start(func(ctx context.Context) { p.run(ctx, c) })
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

// send has the leader apply a batch, and finishes its writes.
func (p *proposer) send(ctx context.Context, c *Core, b *batch) {
	if p.name == "" {
		p.name = randomHex(8)
	}
	p.sequence++
	for len(b.writes) > 0 {
		core, err := c.ensure(ctx)
		if err != nil {
			b.fail(err)
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
			b.fail(err)
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
