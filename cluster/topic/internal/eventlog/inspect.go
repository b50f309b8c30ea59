package eventlog

import (
	"slices"
	"strings"
	"time"
)

// LogInfo is what [Log.Inspect] tells.
type LogInfo struct {
	// First is the first event that is kept, and Next will be the next one's offset.
	First, Next Offset
	// Bytes is what the blocks take.
	Bytes  uint64
	Groups []GroupInfo // by name
}

// GroupInfo tells where a group is.
type GroupInfo struct {
	Name      string
	Consumers []ConsumerInfo
	// Position is the first event that the group is not done with.
	Position Offset
	// Lag is how many events the group has yet to be done with, of those that are kept.
	Lag uint64
	// Redelivered, DeadLetters and Missed count deliveries that were not the first,
	// events that were given up, and events that were removed before the group was done
	// with them. A crash may take a few from the first.
	Redelivered, DeadLetters, Missed uint64
	// Retrying is how many events wait to be delivered anew, the first of them at
	// NextRetry, and Blocked how many wait for one before them with the same key.
	Retrying, Blocked int
	NextRetry         time.Time
	// Full says that no more events are loaded: as many as may be wait for those before
	// them, or to be delivered anew.
	Full bool
	// Err says why the group waits for events that are there; nil if it does not.
	Err error
}

// ConsumerInfo tells of one consumer.
type ConsumerInfo struct {
	Name      string
	Window    int
	Delivered int       // and not acknowledged yet
	Since     time.Time // when the first of those was delivered; zero if there is none
	Late      bool      // see ConsumerConfig.AckDeadline
}

// Inspect tells how the log is.
func (l *Log) Inspect() LogInfo {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	x := l.extent()
	info := LogInfo{First: x.first, Next: x.next, Bytes: x.bytes}
	for _, g := range l.groups {
		info.Groups = append(info.Groups, g.inspect())
	}
	slices.SortFunc(info.Groups, func(a, b GroupInfo) int { return strings.Compare(a.Name, b.Name) })
	return info
}

func (g *group) inspect() GroupInfo {
	info := GroupInfo{
		Name: g.name, Position: max(g.position(), g.log.extent().first), Lag: g.lag(), Err: g.failure,
		Redelivered: g.counters.redelivered, DeadLetters: g.counters.dead, Missed: g.counters.missed,
	}
	if g.broken != nil {
		info.Err, info.Position = g.broken, 0
	}
	info.Full = g.broken == nil && g.cursor < g.log.extent().next && !g.canLoad()
	for _, e := range g.loaded {
		switch e.state {
		case waiting:
			info.Blocked++
		case delayed:
			if info.Retrying++; info.NextRetry.IsZero() || e.due.Before(info.NextRetry) {
				info.NextRetry = e.due
			}
		}
	}
	for _, c := range g.consumers {
		info.Consumers = append(info.Consumers, c.inspect())
	}
	return info
}

func (c *Consumer) inspect() ConsumerInfo {
	info := ConsumerInfo{Name: c.config.Name, Window: c.config.Window, Delivered: len(c.delivered), Late: c.late}
	for _, e := range c.delivered {
		if info.Since.IsZero() || e.since.Before(info.Since) {
			info.Since = e.since
		}
	}
	return info
}

// lag returns how many events the group is not done with.
func (g *group) lag() uint64 {
	x := g.log.extent()
	lag := uint64(g.live)
	if g.cursor == 0 {
		return lag // it is broken
	}
	for _, e := range g.loaded {
		if e.event.Offset >= x.first {
			break
		}
		if e.state != gone {
			lag-- // it is removed, and delivered
		}
	}
	at := g.cursor
	for _, r := range g.past {
		end := at + Offset(r.length)
		if from := max(at, x.first); r.state != stateDone && from < end {
			lag += uint64(end - from)
		}
		at = end
	}
	if at = max(at, x.first); at < x.next {
		lag += uint64(x.next - at)
	}
	return lag
}
