package lock

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// delay is why a lock is waited for.
type delay struct {
	store persistence.Store

	mu      sync.Mutex
	first   string // key of the one who holds it
	holders int
	before  int   // who wait, too
	err     error // of the store; nil if it answers
	node    string
}

// is notes that the i-th in the line waits.
func (d *delay) is(now line, i int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first != now[0].key {
		d.first, d.node = now[0].key, ""
	}
	d.holders = min(i, now.holders())
	d.before, d.err = i-d.holders, nil
}

// failed notes that the store cannot be asked.
func (d *delay) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// begun reports whether it is known who holds the lock, or why not.
func (d *delay) begun() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first != "" || d.err != nil
}

// Error tells it, with the name of the node if that is known.
func (d *delay) Error() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err.Error()
	}
	text := fmt.Sprintf("%d hold it", d.holders)
	if d.holders == 1 {
		text = "one holds it"
	}
	if d.node != "" {
		text += ", on node " + d.node
	}
	if d.before > 0 {
		text += fmt.Sprintf(", and %d wait before this one", d.before)
	}
	return text
}

// look is Error, but finds out before which node holds it. It is for the log.
func (d *delay) look() string {
	d.mu.Lock()
	key, known := d.first, d.node != "" || d.err != nil
	d.mu.Unlock()
	if key != "" && !known {
		ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
		defer cancel()
		if r, err := d.store.Get(ctx, key, persistence.Stale); err == nil {
			if claim, err := decodeRecord(key, r.Value); err == nil {
				d.mu.Lock()
				if d.first == key {
					d.node = claim.Node
				}
				d.mu.Unlock()
			}
		}
	}
	return d.Error()
}

// lookTimeout is how long the log waits for the name of a node.
const lookTimeout = 500 * time.Millisecond

// inLog is a delay as the log has it.
type inLog struct{ *delay }

func (l inLog) Error() string { return l.look() }
