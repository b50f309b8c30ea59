package eventlog

import (
	"context"
	"strings"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

const (
	oldestPage = 128 // blocks that are looked up at a time
	maxTrimmed = 64  // blocks that a transaction deletes of a log
)

// oldest are the blocks of a log that go first: some of them, or all.
type oldest struct {
	blocks   []block
	complete bool
	after    Offset // blocks that begin before have been deleted
}

// end is the offset after the last one that is known.
func (o *oldest) end() Offset {
	if n := len(o.blocks); n > 0 {
		return o.blocks[n-1].end()
	}
	return o.after
}

// advance forgets blocks that have been deleted, and gets to know new ones.
func (o *oldest) advance(trimmed int, fresh []tailBlock) {
	if trimmed > 0 {
		o.after = o.blocks[trimmed-1].end()
		o.blocks = o.blocks[trimmed:]
	}
	for _, b := range fresh {
		if o.complete = o.complete && len(o.blocks) < oldestPage; o.complete {
			o.blocks = append(o.blocks, b.block)
		}
	}
}

// findOldest looks up the oldest blocks of the logs that may have to delete some. Only
// commitLoop changes what there is, and only it calls this.
func (p *Partition) findOldest() {
	for _, l := range p.logs() {
		p.mu.Lock()
		needed := p.err == nil && !l.oldest.complete && len(l.oldest.blocks) < maxTrimmed &&
			(l.limits != Limits{} || l.oldest.after < l.extent().first)
		p.mu.Unlock()
		if !needed {
			continue
		}
		if err := l.findOldest(p.ctx); err != nil {
			p.config.Logger.Warn("eventlog: old events cannot be found, and stay for now", "partition", p.config.Name, "log", l.name, "error", err)
		}
	}
}

func (l *Log) findOldest(ctx context.Context) error {
	p := l.p
	records, err := p.store.List(ctx, persistence.Query{
		Prefix: l.blockKeys, After: l.blockKeys + beforeBlock(l.oldest.end()), KeysOnly: true, Limit: oldestPage,
	})
	if err != nil {
		return err
	}
	found := make([]block, 0, len(records))
	for _, r := range records {
		b, err := parseBlockKey(strings.TrimPrefix(r.Key, l.blockKeys))
		if err != nil {
			return corrupt("the key %q is not that of events", r.Key)
		}
		found = append(found, b)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.oldest.blocks = append(l.oldest.blocks, found...)
	l.oldest.complete = len(found) < oldestPage
	return nil
}

// admit returns why so many events cannot be added. Where that makes room, it lets go of
// what all groups are done with.
func (l *Log) admit(t *transaction, count, size int) error {
	if !l.limits.Refuse {
		return nil
	}
	x := &t.after.logs[l.index]
	size += len(t.fresh[l.index]) // what blocks add to events, and more
	done := x.first
	for _, g := range l.groups {
		done = max(done, g.durable)
	}
	for _, g := range l.groups {
		done = min(done, g.durable)
	}
	first := x.first
	if over := int64(x.next-first) + int64(count) - l.limits.Count; l.limits.Count > 0 && over > 0 {
		first = min(max(first, done), first+Offset(over))
		if int64(x.next-first)+int64(count) > l.limits.Count {
			return notRun(ErrFull.Code, "%w: it has %d events, and %d are allowed; wait for its groups, or purge it", ErrFull, x.next-x.first, l.limits.Count)
		}
	}
	if l.limits.Bytes > 0 {
		there := int64(x.bytes) + int64(t.size+size)
		for _, b := range l.oldest.blocks {
			if there <= l.limits.Bytes || b.end() > max(done, first) {
				break
			}
			there -= int64(b.size)
			first = max(first, b.end())
		}
		if there > l.limits.Bytes {
			return notRun(ErrFull.Code, "%w: it has %d KiB, and %d are allowed; wait for its groups, or purge it", ErrFull, x.bytes>>10, l.limits.Bytes>>10)
		}
	}
	x.first = first
	return nil
}

// retain moves the beginning of the log to where its limits say, and deletes blocks
// before that.
func (l *Log) retain(t *transaction) {
	x := &t.after.logs[l.index]
	if l.limits.Age > 0 {
		for _, b := range l.oldest.blocks {
			if b.time >= time.Now().Add(-l.limits.Age).UnixNano() {
				break
			}
			x.first = max(x.first, b.end())
		}
	}
	if !l.limits.Refuse {
		if over := int64(x.next-x.first) - l.limits.Count; l.limits.Count > 0 && over > 0 {
			x.first += Offset(over)
		}
		over := int64(x.bytes) - l.limits.Bytes
		for _, b := range l.oldest.blocks {
			if l.limits.Bytes == 0 || over <= 0 {
				break
			}
			over -= int64(b.size)
			x.first = max(x.first, b.end())
		}
	}
	for _, b := range l.oldest.blocks[:min(maxTrimmed, len(l.oldest.blocks))] {
		if b.end() > x.first {
			break
		}
		t.delete(l.blockKeys + b.key())
		x.bytes -= min(x.bytes, uint64(b.size))
		t.trimmed[l.index]++
	}
}

// arm has the age of the oldest events looked at again. It is called with the lock.
func (l *Log) arm() {
	if l.limits.Age > 0 && l.ageCheck.IsZero() && l.extent().bytes > 0 {
		l.ageCheck = time.Now().Add(max(time.Second, l.limits.Age/10))
		l.p.at(l.ageCheck)
	}
}

// checkAge has old events deleted. It is called with the lock.
func (l *Log) checkAge(now time.Time) {
	switch {
	case l.ageCheck.IsZero():
	case now.Before(l.ageCheck):
		l.p.at(l.ageCheck)
	default:
		l.ageCheck = time.Time{}
		l.p.kick()
		l.arm()
	}
}
