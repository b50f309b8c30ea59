package eventlog

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/troupe-go/troupe/persistence"
)

// readBlocks is how many blocks are read at a time.
const readBlocks = 4

// Read returns up to limit events from an offset on, of those that are kept and, as a
// rule, of few blocks. None is no error: the log ends there. Errors are [ErrCorrupt] and those
// of the store. Nobody may change what it returns.
func (l *Log) Read(ctx context.Context, from Offset, limit int) ([]Event, error) {
	l.p.mu.Lock()
	err := l.p.err
	x := *l.extent()
	l.p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	from = max(from, x.first)
	if from >= x.next || limit <= 0 {
		return nil, nil
	}
	events, err := l.read(ctx, from, readBlocks)
	return events[:min(limit, len(events))], err
}

// read returns the events of some blocks, from the one with that offset on. If that is
// gone, it returns later ones, or none.
func (l *Log) read(ctx context.Context, from Offset, blocks int) ([]Event, error) {
	q := persistence.Query{Prefix: l.blockKeys, After: l.blockKeys + beforeBlock(from), Limit: blocks}
	records, err := l.p.store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || !strings.HasPrefix(records[0].Key, q.After) {
		// from is inside of a block that begins earlier
		q.Descending, q.Limit = true, 1
		before, err := l.p.store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		records = append(before, records...)
	}
	var events []Event
	for i := range records {
		found, err := l.decode(&records[i])
		if err != nil {
			return after(events, from), err
		}
		if n := len(events); n > 0 && events[n-1].Offset >= from && found[0].Offset != events[n-1].Offset+1 {
			break // what is missing is reported when it is its turn
		}
		events = append(events, found...)
	}
	return after(events, from), nil
}

// after returns the events from an offset on.
func after(events []Event, from Offset) []Event {
	return events[sort.Search(len(events), func(i int) bool { return events[i].Offset >= from }):]
}

func (l *Log) decode(r *persistence.Record) ([]Event, error) {
	b, err := parseBlockKey(strings.TrimPrefix(r.Key, l.blockKeys))
	if err != nil {
		return nil, corrupt("the key %q is not that of events", r.Key)
	}
	events, err := decodeBlock(r.Value)
	if err != nil || events[0].Offset != b.first || len(events) != b.count {
		return nil, corrupt("the record %q does not hold the events %d to %d", r.Key, b.first, b.end()-1)
	}
	return events, nil
}

// atTime returns the offset of the first event of that time or later. Blocks are in the
// order of time.
func (l *Log) atTime(ctx context.Context, at time.Time) (Offset, error) {
	l.p.mu.Lock()
	x := *l.extent()
	l.p.mu.Unlock()
	low, high := x.first, x.next // what is looked for is in between
	for low < high {
		middle := low + (high-low)/2
		records, err := l.p.store.List(ctx, persistence.Query{
			Prefix: l.blockKeys, After: l.blockKeys + beforeBlock(middle+1), Descending: true, KeysOnly: true, Limit: 1,
		})
		if err != nil {
			return 0, err
		}
		if len(records) == 0 { // it has just been deleted
			low = middle + 1
			continue
		}
		b, err := parseBlockKey(strings.TrimPrefix(records[0].Key, l.blockKeys))
		if err != nil {
			return 0, corrupt("the key %q is not that of events", records[0].Key)
		}
		if time.Unix(0, b.time).Before(at) {
			low = max(middle+1, b.end())
		} else {
			high = min(middle, b.first)
		}
	}
	return max(low, x.first), nil
}
