package badger

import (
	"context"
	"log/slog"
	"math/bits"
	"sync"
	"time"
)

// The files of a store have at most 3 times the bytes of what is live and kept as history,
// and spareBytes: it is collected before that, and writers wait where a collection does not
// keep up. What Badger writes ahead, tables and logs that are not full, is in spareBytes;
// with a large [Config.MemTableSize] it is more.
const spareBytes = 64 << 20

// spare is what there may be beside 3 times what is needed.
func (c Config) spare() int64 { return max(spareBytes, 4*int64(c.MemTableSize)) }

// A limit of the size of files is factor times what is needed, and spare 16ths of
// [Config.spare].
type limit struct {
	factor float64
	spare  int64
}

func collectLimit() limit { return limit{2.5, 12} } // it is collected
func surveyLimit() limit  { return limit{3, 15} }   // it is measured, if so little may be needed
func waitLimit() limit    { return limit{2.9, 15} } // writers wait

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
	needed   sizes // those of what was live and history
	written  int64 // since
	changes  int64 // since, that are not in the history any more
	ended    chan struct{}
}

func newPace(config Config) *pace {
	if config.Dir == "" {
		return nil
	}
	return &pace{
		spare: config.spare(),
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

// forgot counts changes that the history does not have any more. With each a version of
// a record may have gone.
func (p *pace) forgot(changes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes += changes
}

// due reports whether it is time to collect.
func (p *pace) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isDue()
}

func (p *pace) isDue() bool {
	if !p.measured {
		return true
	}
	files := p.files + p.written
	least := p.needed.without(p.changes)
	grown := p.written + p.needed.total() - least
	return grown >= p.spare/16 && (files > p.most(collectLimit(), p.needed.total()) || files > p.most(surveyLimit(), least))
}

// wasteful reports whether files of that size are too much for what is needed.
func (p *pace) wasteful(files, needed int64) bool { return files > p.most(collectLimit(), needed) }

// most is how large files may be that have what is needed.
func (p *pace) most(l limit, needed int64) int64 {
	return int64(l.factor*float64(needed)) + p.spare*l.spare/16
}

// collected says what a collection has found and left, and lets writers go on.
func (p *pace) collected(files int64, needed sizes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = true
	p.files, p.needed, p.written, p.changes = files, needed, 0, 0
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
	return p.written > 0 || p.changes > 0
}

// full returns a channel that is closed when a writer may look again, or nil if it need
// not wait. What is left after a collection is no reason to wait, whatever its size.
func (p *pace) full() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := max(p.most(waitLimit(), p.needed.total()), p.files+p.spare/8)
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

// sizes counts records by the logarithm of their size.
type sizes [64]struct{ count, bytes int64 }

func (s *sizes) add(size int64) {
	c := &s[bits.Len64(uint64(size))]
	c.count++
	c.bytes += size
}

func (s *sizes) total() (bytes int64) {
	for _, c := range s {
		bytes += c.bytes
	}
	return bytes
}

// without returns how many bytes remain at least if that many of the records go: the
// largest ones.
func (s *sizes) without(records int64) (bytes int64) {
	for i := len(s) - 1; i >= 0; i-- {
		gone := min(records, s[i].count)
		records -= gone
		if gone < s[i].count {
			bytes += s[i].bytes / s[i].count * (s[i].count - gone)
		}
	}
	return bytes
}
