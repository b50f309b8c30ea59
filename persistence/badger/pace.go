package badger

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The files of a store have at most 3 times the bytes of what is live and kept as history,
// and spareBytes: it is collected before that, and writers wait where a collection does not
// keep up. What Badger writes ahead, tables and logs that are not full, is in spareBytes;
// with a large [Config.MemTableSize] it is more.
const (
	spareBytes    = 64 << 20
	collectFactor = 2.5
	waitFactor    = 2.9
)

// pace says when the store collects what is not needed any more, and when writers wait
// for that. It knows what the last collection has found, and counts since. A nil pace
// is for a store in memory, which merges its tables and has no other files. All methods
// may be called concurrently.
type pace struct {
	spare int64
	wake  chan struct{} // a signal: it is time

	mu       sync.Mutex
	measured bool
	files    int64 // the bytes of all files when it was last measured
	needed   int64 // those of what was live and history
	written  int64 // since
	dropped  int64 // since: deleted, and not in the history any more
	ended    chan struct{}
}

func newPace(config Config) *pace {
	if config.Dir == "" {
		return nil
	}
	return &pace{
		spare: max(spareBytes, 4*int64(config.MemTableSize)),
		wake:  make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
}

// waking returns the channel of signals.
func (p *pace) waking() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.wake
}

func (p *pace) signal() {
	if p == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// wrote counts bytes that make files grow.
func (p *pace) wrote(size int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written += size
	if p.isDue() {
		p.signal()
	}
}

// forgot counts bytes that were live when it was measured, and can be collected.
func (p *pace) forgot(size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped += size
}

// due reports whether it is time to collect.
func (p *pace) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isDue()
}

func (p *pace) isDue() bool {
	return !p.measured || p.files+p.written > p.most(collectFactor, p.needed-p.dropped)
}

// wasteful reports whether files of that size are too much for what is needed.
func (p *pace) wasteful(files, needed int64) bool { return files > p.most(collectFactor, needed) }

// most is how large files may be that have what is needed.
func (p *pace) most(factor float64, needed int64) int64 {
	spare := p.spare * 11 / 16
	if factor == waitFactor {
		spare = p.spare * 14 / 16
	}
	return int64(factor*float64(max(needed, 0))) + spare
}

// collected says what a collection has found and left, and lets writers go on.
func (p *pace) collected(files, needed int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = true
	p.files, p.needed, p.written, p.dropped = files, needed, 0, 0
	close(p.ended)
	p.ended = make(chan struct{})
}

// gaveUp lets writers go on after a collection that has failed, until it is due again.
func (p *pace) gaveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files += p.written
	p.written = 0
	close(p.ended)
	p.ended = make(chan struct{})
}

// restart has the store measured again.
func (p *pace) restart() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = false
	close(p.ended)
	p.ended = make(chan struct{})
}

// changed reports whether there may be something to collect.
func (p *pace) changed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written > 0 || p.dropped > 0
}

// full returns a channel that is closed when a writer may look again, or nil if it need
// not wait. What is left after a collection is no reason to wait, whatever its size.
func (p *pace) full() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := max(p.most(waitFactor, p.needed-p.dropped), p.files+p.spare/4)
	if !p.measured || p.files+p.written <= most {
		return nil
	}
	return p.ended
}

// wait returns when the store has room for a write, it is closed, or ctx ends.
func (p *pace) wait(ctx context.Context, closed <-chan struct{}, log *slog.Logger) error {
	if p == nil {
		return nil
	}
	ended := p.full()
	if ended == nil {
		return nil
	}
	const patience = 2 * time.Second
	late := time.NewTicker(patience)
	defer late.Stop()
	start := time.Now()
	for ; ended != nil; ended = p.full() {
		p.signal()
		select {
		case <-ended:
		case <-closed:
			return nil // the store says so
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			log.Warn("badger: writes wait until overwritten and deleted values are collected", "for", time.Since(start).Round(time.Second))
		}
	}
	return nil
}
