package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// changeKind says what a transaction did to a key.
type changeKind byte

const (
	changePut changeKind = iota + 1
	changeDelete
	changeExpire
)

type loggedChange struct {
	kind changeKind
	key  string
}

// logEntry is what the log keeps of a transaction: which keys it changed. The values
// are in Badger, under the version of the entry: Badger keeps old versions for as
// long as the log may ask for them.
type logEntry struct {
	revision persistence.Revision
	version  uint64
	at       time.Time
	changes  []loggedChange
}

// Transactions that are committed to Badger together are in the log together:
//
//	format, then for each transaction: varint ns since 1970, or since the one before,
//	changes; at last the CRC-32C of all
//
// A change is a byte, with its kind and what its key has in common with the one before,
// the uvarint length of the rest of the key, and that. A transaction without a change has
// a byte 0 in its place.
//
// Where the history begins anew, since a restored backup has no past, there is one
// without an end: only the format.
const (
	logFormat  = 1
	baseFormat = 2

	kindMask    = 0x03
	moreChanges = 0x04 // of the same transaction
	sharedShift = 3    // above it: how many bytes of the key before begin this one
	mostShared  = 0xff >> sharedShift
)

func encodeLog(entries []logEntry) []byte {
	size := 8
	for _, e := range entries {
		size += binary.MaxVarintLen64
		for _, c := range e.changes {
			size += 4 + len(c.key)
		}
	}
	dst := append(make([]byte, 0, size), logFormat)
	var before int64
	var key string
	for _, e := range entries {
		at := e.at.UnixNano()
		dst = binary.AppendVarint(dst, at-before)
		before = at
		if len(e.changes) == 0 {
			dst = append(dst, 0)
		}
		for i, c := range e.changes {
			shared := 0
			for shared < min(mostShared, len(key), len(c.key)) && key[shared] == c.key[shared] {
				shared++
			}
			head := byte(c.kind) | byte(shared<<sharedShift)
			if i < len(e.changes)-1 {
				head |= moreChanges
			}
			dst = appendText(append(dst, head), c.key[shared:])
			key = c.key
		}
	}
	return appendSum(dst)
}

// encodeBase is for the log where the history begins anew.
func encodeBase() []byte { return appendSum([]byte{baseFormat}) }

func appendSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// decodeLog returns the transactions from first to last; base says that the history
// begins behind them.
func decodeLog(first, last persistence.Revision, version uint64, data []byte) (entries []logEntry, base bool, err error) {
	if len(data) < 4 {
		return nil, false, fmt.Errorf("%w log", errMalformed)
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli()) != sum {
		return nil, false, errors.New("log has a wrong checksum")
	}
	d := decoder{rest: body}
	format := d.byte()
	if format == baseFormat && len(d.rest) == 0 && first == last {
		return nil, true, nil
	}
	if format != logFormat || uint64(last-first) >= uint64(len(d.rest)) {
		return nil, false, fmt.Errorf("%w log", errMalformed)
	}
	entries = make([]logEntry, 0, last-first+1)
	var at int64
	var key string
	for r := first; r <= last && !d.failed; r++ {
		at += d.varint()
		e := logEntry{revision: r, version: version, at: time.Unix(0, at)}
		for head := byte(moreChanges); head&moreChanges != 0 && !d.failed; {
			if head = d.byte(); head == 0 {
				break
			}
			kind, shared := changeKind(head&kindMask), int(head>>sharedShift)
			if kind == 0 || shared > len(key) {
				d.failed = true
				break
			}
			key = key[:shared] + d.text()
			e.changes = append(e.changes, loggedChange{kind, key})
		}
		entries = append(entries, e)
	}
	if d.failed || len(d.rest) > 0 {
		return nil, false, fmt.Errorf("%w log", errMalformed)
	}
	return entries, false, nil
}

// recentSize is how many transactions are kept in memory, so that watchers that keep
// up need not read the log to find out that nothing concerns them.
const recentSize = 1024

// history knows which revisions can be had, keeps the latest in memory, and wakes
// watchers. All methods may be called concurrently.
type history struct {
	mu sync.Mutex
	// last is the latest revision that can be read. floor is the one before the first
	// that the log still has.
	last, floor persistence.Revision
	recent      []logEntry    // a ring: revision r is at r % recentSize
	grown       chan struct{} // closed at the next change; nil if nobody waits
	spans       []sizedSpan   // of what was committed since the store was opened, oldest first
	size        int64         // of all of them
}

// sizedSpan is consecutive revisions, up to last. They wrote so many bytes, in so many
// changes.
type sizedSpan struct {
	last          persistence.Revision
	size, changes int64
}

// How many bytes and changes revisions have, about, that are counted together.
const (
	spanSize    = 256 << 10
	spanChanges = 64
)

// reset says what there is after opening or restoring.
func (h *history) reset(floor, last persistence.Revision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.floor, h.last = floor, last
	h.recent = make([]logEntry, recentSize)
	h.spans, h.size = nil, 0
	h.wake()
}

// publish makes the entries known, and all revisions up to last, which wrote so many bytes
// in so many changes. It returns the size of the history.
func (h *history) publish(entries []logEntry, last persistence.Revision, size, changes int64) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.size += size
	if n := len(h.spans); n > 0 && h.spans[n-1].size+size <= spanSize && h.spans[n-1].changes+changes <= spanChanges {
		h.spans[n-1].last = last
		h.spans[n-1].size += size
		h.spans[n-1].changes += changes
	} else {
		h.spans = append(h.spans, sizedSpan{last, size, changes})
	}
	for _, e := range entries {
		h.recent[e.revision%recentSize] = e
	}
	h.last = last
	h.wake()
	return h.size
}

func (h *history) wake() {
	if h.grown != nil {
		close(h.grown)
		h.grown = nil
	}
}

// forget raises the floor, and returns how many changes there were up to there.
func (h *history) forget(floor persistence.Revision) (changes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.floor = max(h.floor, floor)
	gone := 0
	for gone < len(h.spans) && h.spans[gone].last <= h.floor {
		h.size -= h.spans[gone].size
		changes += h.spans[gone].changes
		gone++
	}
	h.spans = slices.Delete(h.spans, 0, gone)
	return changes
}

// beyond returns the last revision that is not among the latest with so many bytes, or 0.
// The latest of all does not count.
func (h *history) beyond(size int64) (r persistence.Revision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	over := h.size - size
	for _, s := range h.spans {
		if over <= 0 {
			break
		}
		r = min(s.last, h.last-1)
		over -= s.size
	}
	return r
}

// bounds returns the floor and the last revision.
func (h *history) bounds() (floor, last persistence.Revision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.floor, h.last
}

// next returns up to most entries behind after that are in memory. If there are none
// because they are older, it returns how far the log has to be read. If there are
// none because nothing has happened, it returns a channel to wait on.
func (h *history) next(after persistence.Revision, most int) (entries []logEntry, last persistence.Revision, grown <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case after < h.floor:
		return nil, 0, nil, h.gone(after)
	case after >= h.last:
		if h.grown == nil {
			h.grown = make(chan struct{})
		}
		return nil, h.last, h.grown, nil
	}
	for r := after + 1; r <= h.last && len(entries) < most; r++ {
		e := h.recent[r%recentSize]
		if e.revision != r {
			return nil, h.last, nil, nil
		}
		entries = append(entries, e)
	}
	return entries, h.last, nil, nil
}

func (h *history) gone(after persistence.Revision) error {
	return fmt.Errorf("badger: %w: changes are kept after revision %d, and %d was asked for; list the records and watch from the revision of the list", persistence.ErrHistoryGone, h.floor, after)
}
