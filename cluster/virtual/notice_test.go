package virtual

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/clustertest"
)

// lockedText is a log.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// What waits for too few nodes says so, in the error and in the log, and so do the nodes
// that cannot serve.
func TestWhatWaitsForTooFewNodesSaysSo(t *testing.T) {
	const reason = "1 of the 3 nodes are there"
	var logged lockedText
	clustertest.Run(t, 1, func(t *testing.T, c *clustertest.Cluster) {
		n := c.Node(0)
		if err := Serve(n, newLedger().definition("room")); err != nil {
			t.Fatal(err)
		}
		if _, err := Singleton(n, newLedger().definition("one")); err != nil {
			t.Fatal(err)
		}
		for _, to := range []actor.Ref[Room]{roomOf(n, "a"), Ref[Room](n, "one", ""), Ref[Room](n, "never", "a")} {
			_, err := actor.Ask(within(t, 5*time.Second), to, Add{})
			wantCode(t, fmt.Sprint(to), err, actor.Unavailable)
			if !strings.Contains(fmt.Sprint(err), reason) {
				t.Errorf("Ask of %v: %v", to, err)
			}
		}
		if err := actor.Tell(roomOf(n, "a"), Note{}); err != nil {
			t.Error(err)
		}
		<-time.After(40 * time.Second)
		for _, what := range []string{
			`virtual: the kind \"room\" is not served here yet`, `virtual: the kind \"one\" is not served here yet`,
			`virtual: messages told to actors of the kind \"room\" wait`, "the replicated store waits for a leader",
		} {
			times := 0
			for line := range strings.Lines(logged.String()) {
				if strings.Contains(line, what) && strings.Contains(line, reason) {
					times++
				}
			}
			if times < 1 || times > 4 {
				t.Errorf("the log says %d times in 40 s: %s\n%s", times, what, logged.String())
			}
		}
	}, cluster.WithExpect(3), cluster.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
}

// A request that waits while its shard has no owner says why.
func TestARequestWithoutAnOwnerSaysWhy(t *testing.T) {
	var logged lockedText
	play(t, 2, func(t *testing.T, s *stage) {
		s.ownerless()
		for _, patience := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond} {
			_, err := actor.Ask(within(t, patience), roomOf(s.Node(0), "0"), Add{})
			if code := actor.CodeOf(err); code != actor.DeadlineExceeded || !strings.Contains(fmt.Sprint(err), "last attempt") {
				t.Errorf("after %v: %v", patience, err)
			}
		}
		s.core.heal("node-1")
	}, cluster.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
}
