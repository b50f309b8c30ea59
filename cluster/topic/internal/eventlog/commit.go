package eventlog

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// The pause after a commit that failed, which doubles.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

// kick has what waits committed. It is called with the lock.
func (p *Partition) kick() {
	if !p.committing && p.err == nil {
		p.committing = true
		p.start(p.commitLoop)
	}
}

// commitLoop commits one transaction after the other until nothing waits.
func (p *Partition) commitLoop() {
	pause := minPause
	for {
		p.findOldest()
		p.mu.Lock()
		p.pace.gather(&p.mu)
		var t *transaction
		if p.err == nil {
			t = p.build()
		}
		if t == nil {
			p.committing = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if p.carryOut(t) {
			pause = minPause
		} else if p.wait(pause) {
			pause = min(2*pause, maxPause)
		}
	}
}

// wait returns false at once when the partition ends.
func (p *Partition) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.done:
		return false
	}
}

// carryOut commits t, again and again while it is not known what has become of it: no
// other transaction can be made before. It reports whether t was applied.
func (p *Partition) carryOut(t *transaction) bool {
	doubt := false
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		start := time.Now()
		revision, err := p.store.Commit(p.ctx, t.Transaction)
		took := time.Since(start)
		if errors.Is(err, persistence.ErrConflict) {
			doubt = true
			revision, err = p.whatHappened(t)
		}
		switch {
		case err == nil:
			p.applied(t, revision, took)
			return true
		case errors.Is(err, ErrFenced):
			p.fail(err)
			p.give(t, err)
			return false
		case !doubt && refused(err):
			p.config.Logger.Warn("eventlog: the store refuses to write", "partition", p.config.Name, "error", err)
			p.refuse(t, err)
			return false
		}
		if !doubt || pause == maxPause {
			p.config.Logger.Warn("eventlog: it is not known whether something was written; trying again", "partition", p.config.Name, "error", err)
		}
		doubt = true
		p.give(t, err)
		if !p.wait(pause) {
			return false
		}
	}
}

// whatHappened looks whether t was applied, when its condition does not hold any more.
func (p *Partition) whatHappened(t *transaction) (persistence.Revision, error) {
	r, err := p.store.Get(p.ctx, headKey)
	if err != nil {
		return 0, err
	}
	h, err := decodeHead(r.Value)
	if err == nil && h.writer == t.after.writer && h.number == t.after.number {
		return r.Revision, nil
	}
	return 0, actor.Errorf(ErrFenced.Code, "eventlog: %w: it was opened with epoch %d, and this is %d", ErrFenced, h.epoch, t.after.epoch)
}

// refused reports whether err says that a transaction surely was not applied.
func refused(err error) bool {
	if e, ok := errors.AsType[*actor.Error](err); ok && e.NotRun {
		return true
	}
	switch actor.CodeOf(err) {
	case actor.InvalidArgument, actor.ResourceExhausted, actor.PermissionDenied:
		return true
	}
	return errors.Is(err, persistence.ErrClosed)
}

// give tells those who wait that they may be waiting in vain: those in t that it may be
// done yet, and the others that nothing was.
func (p *Partition) give(t *transaction, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range t.calls {
		c.finish(unknown(storeCode(err), err))
	}
	for _, o := range t.operations {
		o.finish(unknown(storeCode(err), err))
	}
	code := storeCode(err)
	for _, c := range p.calls {
		c.finish(notRun(code, "nothing was appended, try again: %w", err))
	}
	for _, o := range p.operations {
		o.finish(notRun(code, "nothing was done, try again: %w", err))
	}
	p.calls, p.operations, p.queued, p.pace.waiting = nil, nil, 0, 0
}

// refuse undoes what was done to make t.
func (p *Partition) refuse(t *transaction, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range t.calls {
		c.finish(notRun(storeCode(err), "nothing was appended: %w", err))
	}
	for _, o := range t.operations {
		o.finish(notRun(storeCode(err), "nothing was done: %w", err))
	}
	for _, e := range t.buried {
		if e.state == buried {
			e.group.become(e, dying)
			e.group.counters.dead--
			p.dying = append(p.dying, e)
		}
	}
	for g, done := range t.progress {
		g.dirty = true
		if done == nil {
			g.deleting = false
		}
	}
	p.flushSoon()
}

// applied makes the state what t has made of it in the store.
func (p *Partition) applied(t *transaction, revision persistence.Revision, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.finish(t, nil)
		return
	}
	before := p.head.logs
	p.head, p.revision = t.after, revision
	named := t.identities // apart from t, which would stay with it
	p.known.add(&named)
	p.known.forget(t.forgotten)
	for g, done := range t.progress {
		if done != nil {
			g.reserved, g.durable = done.reserved, done.position
		}
	}
	for _, l := range p.logs() {
		l.oldest.advance(t.trimmed[l.index], t.blocks[l.index])
		l.remember(t.blocks[l.index])
	}
	for _, e := range t.buried {
		e.group.end(e)
	}
	p.finish(t, nil)
	p.pace.expected, p.pace.took = 0, 0
	if len(t.calls) > 0 {
		p.pace.expected, p.pace.took = t.events+p.pace.waiting, took
	}
	for _, l := range p.logs() {
		l.arm()
		for _, g := range l.groups {
			if l.extent().first > before[l.index].first {
				g.skipLoaded(false)
			}
			g.wake()
		}
	}
}

// finish tells those who wait for t.
func (p *Partition) finish(t *transaction, err error) {
	for _, c := range t.calls {
		c.finish(err)
	}
	for _, o := range t.operations {
		if o.applied != nil && err == nil && p.err == nil {
			o.applied(t)
		}
		o.finish(err)
	}
}

// flushDelay is for how long acknowledgements gather.
const flushDelay = 100 * time.Millisecond

// flushSoon has progress written soon, if nothing else is before. It is called with the
// lock.
func (p *Partition) flushSoon() {
	if p.flushAt.IsZero() {
		p.flushAt = time.Now().Add(flushDelay)
		p.at(p.flushAt)
	}
}

// operation is something other than an Append that is done in a transaction.
type operation struct {
	prepare  func(*transaction) error // adds to the transaction, with the lock
	applied  func(*transaction)       // when it is durable, with the lock; may be nil
	last     bool                     // it is that of Close
	progress *group                   // whose progress is written with it; may be nil
	ended    bool
	err      error
	done     chan struct{}
}

func (o *operation) take(t *transaction) error {
	if o.prepare == nil {
		return nil
	}
	return o.prepare(t)
}

func (o *operation) finish(err error) {
	if !o.ended {
		o.ended, o.err = true, err
		close(o.done)
	}
}

// operate has o done.
func (p *Partition) operate(ctx context.Context, o *operation) error {
	o.done = make(chan struct{})
	p.mu.Lock()
	switch {
	case p.err != nil:
		o.finish(ended(p.err))
	case p.closing && !o.last:
		o.finish(ended(ErrClosed))
	default:
		p.operations = append(p.operations, o)
		p.kick()
	}
	p.mu.Unlock()
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return unknown(actor.CodeOf(ctx.Err()), context.Cause(ctx))
	}
}
