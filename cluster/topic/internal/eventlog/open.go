package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/persistence"
)

// open takes the partition over and reads what it has to know.
func (p *Partition) open(ctx context.Context) error {
	if err := p.takeOver(ctx, rand.Uint64()); err != nil {
		return fmt.Errorf("opening partition %q: %w", p.config.Name, err)
	}
	p.tag = uint64(p.revision) << 24 // there are fewer deliveries than that between two commits
	if err := p.known.load(ctx, p.store); err != nil {
		return fmt.Errorf("opening partition %q: %w", p.config.Name, err)
	}
	for _, l := range p.logs() {
		if err := l.open(ctx); err != nil {
			return fmt.Errorf("opening partition %q: %w", p.config.Name, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.logs() {
		l.arm()
	}
	return nil
}

// takeOver makes writer the one who may write.
func (p *Partition) takeOver(ctx context.Context, writer uint64) error {
	for {
		r, err := p.store.Get(ctx, headKey)
		switch {
		case errors.Is(err, persistence.ErrNotFound):
			p.head = head{logs: [2]extent{{first: 1, next: 1}, {first: 1, next: 1}}}
		case err != nil:
			return err
		default:
			if p.head, err = decodeHead(r.Value); errors.Is(err, persistence.ErrVersion) {
				return fmt.Errorf("eventlog: %w", err)
			} else if err != nil {
				return corrupt("its record %q is malformed", headKey)
			}
		}
		if p.head.epoch > p.config.Epoch {
			return actor.Errorf(ErrFenced.Code, "eventlog: %w: epoch %d is over, it has been opened with %d", ErrFenced, p.config.Epoch, p.head.epoch)
		}
		p.head.epoch, p.head.writer, p.head.number = p.config.Epoch, writer, 0
		p.revision, err = persistence.CompareAndSwap(ctx, p.store, headKey, r.Revision, p.head.encode())
		if !errors.Is(err, persistence.ErrConflict) {
			return err
		}
	}
}

// open reads the groups of l, and which blocks are its oldest ones.
func (l *Log) open(ctx context.Context) error {
	records, err := l.p.store.List(ctx, persistence.Query{Prefix: l.groupKeys})
	if err != nil {
		return err
	}
	for i := range records {
		name := strings.TrimPrefix(records[i].Key, l.groupKeys)
		g := newGroup(l, name)
		l.groups[name] = g
		done, err := decodeProgress(records[i].Value)
		if err != nil || done.position > l.extent().next || done.reserved > l.extent().next {
			g.broken = corrupt("the record of group %q says nothing; seek to where it shall go on", name)
			l.p.config.Logger.Error("eventlog: a group cannot go on", "partition", l.p.config.Name, "log", l.name, "error", g.broken)
			g.durable = l.extent().first
			continue
		}
		done.runs = done.recovered()
		g.restore(done)
	}
	return l.findOldest(ctx)
}
