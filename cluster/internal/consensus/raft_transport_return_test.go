package consensus

import (
	"testing"
	"time"
)

// TestAServerThatIsBackGetsEntriesAtOnce is for servers that were away for any time:
// raft's own pauses grow to ten seconds.
func TestAServerThatIsBackGetsEntriesAtOnce(t *testing.T) {
	for _, away := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		inBubble(t, func(t *testing.T) {
			g := newDiskGroup(t, "a", "b", "c")
			g.timing.Replace = time.Hour
			g.found(3)
			g.fill(0, 5)
			l := g.leader()
			gone := g.others(l)[0]
			g.setAway(gone, true)
			g.stop(gone)
			g.fill(5, 5)
			<-time.After(away)
			g.fill(10, 1)
			back := g.start(gone)
			g.setAway(gone, false)
			start := time.Now()
			g.have("key 00010", "value 10", back)
			if took := time.Since(start); took > time.Second {
				t.Errorf("after %v, it took %v until it had what was written meanwhile", away, took)
			}
		})
	}
}
