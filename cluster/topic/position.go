package topic

import (
	"math"
	"time"

	"github.com/troupe-go/troupe/cluster/topic/internal/eventlog"
)

// Position is a place in a durable topic. The zero value is its start.
type Position struct{ place place }

// place is a Position as nodes tell each other.
type place struct {
	Of        origins
	Partition int
	Offset    uint64
	Time      int64 // in nanoseconds since 1970
}

// origins are what a place is given by.
type origins int

const (
	ofStart origins = iota
	ofEnd
	ofOffset
	ofTime
)

// Start is the first event that is kept of each partition.
func Start() Position { return Position{} }

// End is behind the last event of each partition.
func End() Position { return Position{place{Of: ofEnd}} }

// AtOffset is the event of one partition with that offset, or the next one that is kept.
// A group that begins there, see [From], begins at the start of all other partitions;
// [Topic.Seek] and [Topic.Purge] leave those alone.
func AtOffset(partition int, offset uint64) Position {
	return Position{place{Of: ofOffset, Partition: partition, Offset: offset}}
}

// AtTime is the first event of each partition that was published at that time or later,
// by the clocks of the nodes that owned the partition.
func AtTime(t time.Time) Position { return Position{place{Of: ofTime, Time: nanoseconds(t)}} }

// nanoseconds returns t as nanoseconds since 1970, or the nearest there are: those of 1677
// and of 2262, when nothing is published.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// concerns reports whether the place says something of a partition.
func (p place) concerns(partition int) bool { return p.Of != ofOffset || p.Partition == partition }

// in returns the place in one partition.
func (p place) in(partition int) eventlog.Position {
	switch {
	case p.Of == ofEnd:
		return eventlog.End()
	case p.Of == ofTime:
		return eventlog.AtTime(time.Unix(0, p.Time))
	case p.Of == ofOffset && p.Partition == partition:
		return eventlog.AtOffset(eventlog.Offset(p.Offset))
	}
	return eventlog.Start()
}
