package eventlog

import (
	"time"
)

// Log is a sequence of events and the groups that read it.
type Log struct {
	p         *Partition
	index     int
	name      string
	blockKeys string // what the keys of its records begin with
	groupKeys string
	limits    Limits
	groups    map[string]*group
	tail      []tailBlock // the latest blocks, while somebody reads
	oldest    oldest
	ageCheck  time.Time // the next one; zero if none is needed
}

func newLog(p *Partition, index int, name string, limits Limits) *Log {
	return &Log{
		p: p, index: index, name: name, limits: limits,
		blockKeys: name + "/",
		groupKeys: "group/" + name + "/",
		groups:    map[string]*group{},
	}
}

// extent is what the log has in the store. It is called with the lock.
func (l *Log) extent() *extent { return &l.p.head.logs[l.index] }

// tailBlock is a block and its record.
type tailBlock struct {
	block
	data []byte
}

// tailSize is how many bytes of the latest blocks are kept in memory.
const tailSize = 1 << 20

// remember keeps blocks for those who read.
func (l *Log) remember(blocks []tailBlock) {
	if !l.consumed() {
		l.tail = nil // it has no gaps
		return
	}
	l.tail = append(l.tail, blocks...)
	size := 0
	for i := len(l.tail) - 1; i >= 0; i-- {
		if size += l.tail[i].size; size > tailSize {
			clear(l.tail[:i+1])
			l.tail = l.tail[i+1:]
			return
		}
	}
}

func (l *Log) consumed() bool {
	for _, g := range l.groups {
		if len(g.consumers) > 0 {
			return true
		}
	}
	return false
}
