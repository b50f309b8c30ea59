package version

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Advice is in the text of every [Mismatch].
const Advice = "run the same major version on all nodes"

// Mismatch is the error of two nodes that cannot speak with each other, on both of them.
type Mismatch struct {
	Node   string // this one
	Own    Version
	Peer   string // the other
	Theirs Version
	What   string // what they would have spoken, with an article
}

// Error names both nodes and their versions, and says what to do.
func (m *Mismatch) Error() string {
	return fmt.Sprintf("node %q speaks version %s of %s, node %q %s: %s", m.Peer, m.Theirs, m.What, m.Node, m.Own, Advice)
}

// Reporter logs each [Mismatch] once a minute, though nodes try again and again. All its
// methods may be called concurrently. Its zero value is ready.
type Reporter struct {
	mu   sync.Mutex
	last map[Mismatch]time.Time
}

const (
	reportPause = time.Minute
	maxReported = 256 // of which the Reporter remembers that it has
)

// Warn logs m, unless it has lately.
func (r *Reporter) Warn(logger *slog.Logger, m *Mismatch) {
	if r.due(*m, time.Now()) {
		logger.Warn("refused a node of another major version", "peer", m.Peer, "version", m.Theirs.String(), "error", m)
	}
}

func (r *Reporter) due(m Mismatch, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last[m]; ok && now.Sub(last) < reportPause {
		return false
	}
	if len(r.last) >= maxReported {
		clear(r.last)
	}
	if r.last == nil {
		r.last = make(map[Mismatch]time.Time)
	}
	r.last[m] = now
	return true
}
